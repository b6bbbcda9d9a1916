// Command overhead tells what the SDK adds to a small call, beside the bare stub: StatFile of the root through both, in turns, against
// the server that VEXFS_ADDRESS and VEXFS_TOKEN name. Called by the benchmark `sdk`: overhead ROUNDS CALLS prints a line of JSON
// for each round, with the medians in microseconds.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	vexfs "github.com/vexfs/vexfs/sdk-go"
	pb "github.com/vexfs/vexfs/sdk-go/internal/vexfspb"
)

// How many calls of one make a turn: what else the machine does then hits both alike.
const turn = 50

type call func(context.Context) error

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "overhead:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 3 {
		return fmt.Errorf("usage: overhead ROUNDS CALLS")
	}
	rounds, err := strconv.Atoi(os.Args[1])
	if err != nil {
		return err
	}
	calls, err := strconv.Atoi(os.Args[2])
	if err != nil {
		return err
	}
	client, err := vexfs.New()
	if err != nil {
		return err
	}
	defer client.Close()
	conn, err := grpc.NewClient(os.Getenv("VEXFS_ADDRESS"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	bySDK := func(ctx context.Context) error {
		_, err := client.Files.Stat(ctx, vexfs.Path("/"))
		return err
	}
	byStub := bare(pb.NewFilesServiceClient(conn), os.Getenv("VEXFS_TOKEN"))
	for range rounds {
		sdk, stub, err := round(bySDK, byStub, calls)
		if err != nil {
			return err
		}
		if err := json.NewEncoder(os.Stdout).Encode(map[string]float64{"sdk_us": sdk, "stub_us": stub}); err != nil {
			return err
		}
	}
	return nil
}

// The call as the generated code makes it, with the same token and deadline.
func bare(stub pb.FilesServiceClient, token string) call {
	return func(ctx context.Context) error {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
		ctx, cancel := context.WithTimeout(ctx, vexfs.DefaultTimeout)
		defer cancel()
		_, err := stub.StatFile(ctx, &pb.StatFileRequest{File: &pb.FileRef{Name: &pb.FileRef_Path{Path: "/"}}})
		return err
	}
}

// The medians of one round, in microseconds.
func round(bySDK, byStub call, calls int) (sdk, stub float64, err error) {
	var ofSDK, ofStub []time.Duration
	for len(ofSDK) < calls {
		if ofSDK, err = take(ofSDK, bySDK); err != nil {
			return 0, 0, err
		}
		if ofStub, err = take(ofStub, byStub); err != nil {
			return 0, 0, err
		}
	}
	return median(ofSDK), median(ofStub), nil
}

func take(times []time.Duration, one call) ([]time.Duration, error) {
	for range turn {
		begin := time.Now()
		if err := one(context.Background()); err != nil {
			return nil, err
		}
		times = append(times, time.Since(begin))
	}
	return times, nil
}

func median(times []time.Duration) float64 {
	slices.Sort(times)
	return float64(times[len(times)/2].Nanoseconds()) / 1000
}
