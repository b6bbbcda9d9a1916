package vexfs_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/vexfs/vexfs/sdk-go"
)

func Example() {
	client, err := vexfs.New() // settings: options, VEXFS_* variables, defaults
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx := context.Background()

	whale := []byte("A whale is a mammal that lives in the sea.\n")
	_, err = client.Files.Write(ctx, vexfs.Path("/notes/whale.md"), whale, vexfs.WriteOptions{MakeParents: true})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.WaitForViews(ctx); err != nil { // until what was written can be found
		log.Fatal(err)
	}
	found, err := client.Search(ctx, vexfs.SearchQuery{Text: "animals of the ocean", Scope: vexfs.Path("/notes")})
	if err != nil {
		log.Fatal(err)
	}
	for _, hit := range found.Hits {
		fmt.Printf("%s, line %d: %s", hit.File.Path, hit.Passage.StartLine, hit.Passage.Text)
	}

	_, err = client.Files.Stat(ctx, vexfs.Path("/notes/shark.md"))
	fmt.Println(errors.Is(err, vexfs.ErrNotFound), errors.Is(err, vexfs.ReasonFileNotFound))
	// Output:
	// /notes/whale.md, line 1: A whale is a mammal that lives in the sea.
	// true true
}

func ExampleFilesClient_List() {
	client, err := vexfs.New()
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx := context.Background()
	for _, name := range []string{"ant", "bee"} {
		_, err := client.Files.Write(ctx, vexfs.Path("/insects/"+name), nil, vexfs.WriteOptions{MakeParents: true})
		if err != nil {
			log.Fatal(err)
		}
	}
	for file, err := range client.Files.List(ctx, vexfs.Path("/insects")) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(file.Path, file.Kind)
	}
	// Output:
	// /insects/ant FILE_KIND_REGULAR
	// /insects/bee FILE_KIND_REGULAR
}

func ExampleFilesClient_Create() {
	client, err := vexfs.New()
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	writer, err := client.Files.Create(context.Background(), vexfs.Path("/numbers"))
	if err != nil {
		log.Fatal(err)
	}
	defer writer.Abort() // does nothing once it is closed
	for i := range 1000 {
		fmt.Fprintln(writer, i)
	}
	if err := writer.Close(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(writer.File().SizeBytes)
	// Output: 3890
}

func ExamplePointsClient_Query() {
	client, err := vexfs.New()
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx, fruit := context.Background(), vexfs.Path("/fruit")
	_, err = client.Collections.Create(ctx, fruit, vexfs.CollectionSchema{
		Vectors: []vexfs.VectorSpec{{Name: "taste", Dimension: 2}},
	})
	if err != nil {
		log.Fatal(err)
	}
	put, err := client.Points.Upsert(ctx, fruit, []vexfs.PointInput{
		{ID: "lemon", Vectors: map[string][]float32{"taste": {1, 0.1}}, Metadata: map[string]any{"colour": "yellow"}},
		{ID: "banana", Vectors: map[string][]float32{"taste": {0.1, 1}}, Metadata: map[string]any{"colour": "yellow"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	result, err := client.Points.Query(ctx, fruit, vexfs.PointQuery{
		Vector: []float32{0, 1}, Filter: vexfs.MetadataEquals("colour", "yellow"), Limit: 1, MinRevision: put.Revision,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Hits[0].Point.ID)
	// Output: banana
}
