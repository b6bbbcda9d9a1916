package vexfs

import (
	"context"
	"os"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	pb "github.com/vexfs/vexfs/sdk-go/internal/vexfspb"
)

// BenchmarkStat compares a call of the SDK with the same call of its bare stub, against the server of the tests.
func BenchmarkStat(b *testing.B) {
	b.Run("sdk", func(b *testing.B) {
		client, err := New()
		if err != nil {
			b.Fatal(err)
		}
		defer client.Close()
		for b.Loop() {
			if _, err := client.Files.Stat(b.Context(), Path("/")); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("stub", func(b *testing.B) {
		conn, err := grpc.NewClient(os.Getenv("VEXFS_ADDRESS"), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		stub := pb.NewFilesServiceClient(conn)
		for b.Loop() {
			ctx := metadata.AppendToOutgoingContext(b.Context(), "authorization", "Bearer "+os.Getenv("VEXFS_TOKEN"))
			ctx, cancel := context.WithTimeout(ctx, DefaultTimeout)
			_, err := stub.StatFile(ctx, &pb.StatFileRequest{File: &pb.FileRef{Name: &pb.FileRef_Path{Path: "/"}}})
			cancel()
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}
