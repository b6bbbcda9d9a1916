package vexfs

import (
	"testing"

	pb "github.com/vexfs/vexfs/sdk-go/internal/vexfspb"
)

func TestWhatAViewSaysIsTold(t *testing.T) {
	state := pb.ViewState_VIEW_STATE_BEHIND
	client := connect(t, &faultyServer{views: []*pb.ViewPosition{
		{View: "dense", Revision: 6, Pending: 3, State: state, Generation: "g", PutOff: "20 MiB are available"},
	}})
	views, err := client.WaitForViews(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := ViewPosition{"dense", 6, 3, ViewBehind, "g", "20 MiB are available"}
	if len(views.Views) != 1 || views.Views[0] != want {
		t.Errorf("%+v", views)
	}
}
