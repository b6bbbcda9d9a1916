package vexfs

import (
	"context"

	pb "github.com/vexfs/vexfs/sdk-go/internal/vexfspb"
)

// ViewState is how a view is.
type ViewState int

// The states of a view.
const (
	// ViewReady says that it has everything up to its revision.
	ViewReady ViewState = ViewState(pb.ViewState_VIEW_STATE_READY)
	// ViewBehind says that it follows, and has not yet caught up with the store.
	ViewBehind ViewState = ViewState(pb.ViewState_VIEW_STATE_BEHIND)
	// ViewRebuilding says that it was lost, or never was, and is being built from the store.
	ViewRebuilding ViewState = ViewState(pb.ViewState_VIEW_STATE_REBUILDING)
	// ViewUnavailable says that it cannot be read.
	ViewUnavailable ViewState = ViewState(pb.ViewState_VIEW_STATE_UNAVAILABLE)
)

// String is the contract's name of the state, such as "VIEW_STATE_READY".
func (s ViewState) String() string { return pb.ViewState(s).String() }

// ViewPosition is how far one view has followed the log.
type ViewPosition struct {
	// View is which one: "text" (extraction and splitting), "dense", "lexical".
	View string
	// Revision is the newest revision up to which it has everything.
	Revision int64
	// Pending is how many files, or vectors, it knows of and does not have yet.
	Pending int64
	// State is how it is.
	State ViewState
	// Generation is the generation being served, if the view has generations.
	Generation string
	// PutOff is why the build of a generation was put off, for people, such as too little memory; empty if none is.
	PutOff string
}

// Views is where the views were when [Client.WaitForViews] ended.
type Views struct {
	// Revision is the revision that the answer reflects.
	Revision int64
	// Views are the positions.
	Views []ViewPosition
}

// WaitForViews returns when all views have what the store has, or MinRevision. At the deadline it fails with
// [ErrDeadlineExceeded], and if the server was first with [ReasonRevisionNotReached] and what is pending.
func (c *Client) WaitForViews(ctx context.Context, options ...WaitOptions) (*Views, error) {
	o, err := option(options)
	if err != nil {
		return nil, err
	}
	var response pb.WaitForViewsResponse
	err = c.invoke(ctx, pb.SearchService_WaitForViews_FullMethodName,
		&pb.WaitForViewsRequest{MinRevision: o.MinRevision}, &response)
	if err != nil {
		return nil, err
	}
	return &Views{response.GetRevision(), toViews(response.GetViews())}, nil
}

func toViews(messages []*pb.ViewPosition) []ViewPosition {
	views := make([]ViewPosition, len(messages))
	for i, m := range messages {
		views[i] = ViewPosition{
			View: m.GetView(), Revision: m.GetRevision(), Pending: m.GetPending(), State: ViewState(m.GetState()),
			Generation: m.GetGeneration(), PutOff: m.GetPutOff(),
		}
	}
	return views
}
