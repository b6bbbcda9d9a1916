package vexfs

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc/codes"
)

// recorder is a TracerProvider that keeps the spans.
type recorder struct {
	noop.TracerProvider
	spans []*recordedSpan
}

type recordedTracer struct {
	noop.Tracer
	recorder *recorder
}

type recordedSpan struct {
	noop.Span
	name       string
	attributes map[attribute.Key]string
	status     otelcodes.Code
	ended      bool
}

func (r *recorder) Tracer(string, ...trace.TracerOption) trace.Tracer {
	return &recordedTracer{recorder: r}
}

func (t *recordedTracer) Start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	span := &recordedSpan{name: name, attributes: map[attribute.Key]string{}}
	config := trace.NewSpanStartConfig(options...)
	span.SetAttributes(config.Attributes()...)
	t.recorder.spans = append(t.recorder.spans, span)
	return trace.ContextWithSpan(ctx, span), span
}

func (s *recordedSpan) SetAttributes(attributes ...attribute.KeyValue) {
	for _, a := range attributes {
		s.attributes[a.Key] = a.Value.Emit()
	}
}
func (s *recordedSpan) SetStatus(code otelcodes.Code, _ string) { s.status = code }
func (s *recordedSpan) End(...trace.SpanEndOption)              { s.ended = true }

func TestEveryCallIsASpan(t *testing.T) {
	spans := &recorder{}
	server := &faultyServer{stat: failing(2, failure(codes.Unavailable, "", 0))}
	client := connect(t, server, WithTracerProvider(spans))
	if _, err := client.Files.Stat(t.Context(), Path("/a")); err != nil {
		t.Fatal(err)
	}
	server.stat = failing(99, failure(codes.NotFound, "FILE_NOT_FOUND", 0))
	if _, err := client.Files.Stat(t.Context(), Path("/a")); err == nil {
		t.Fatal("no error")
	}
	if len(spans.spans) != 2 {
		t.Fatalf("%d spans for 2 calls of 4 attempts", len(spans.spans))
	}
	good, bad := spans.spans[0], spans.spans[1]
	if good.name != "vexfs.v1.FilesService/StatFile" || good.attributes["vexfs.attempts"] != "3" || !good.ended || good.status != 0 {
		t.Errorf("%+v", good)
	}
	if bad.attributes["rpc.response.status_code"] != "NOT_FOUND" || bad.status != otelcodes.Error || !bad.ended {
		t.Errorf("%+v", bad)
	}
}
