package vexfs

import (
	"time"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// messageMaxBytes is the largest answer that is taken: four times what a server sends at most.
const messageMaxBytes = 64 << 20

// Client is a connection to one server. It connects with the first call, and again whenever the connection is lost.
type Client struct {
	// Files has the methods about files and directories.
	Files *FilesClient
	// Collections has the methods about directories with a vector schema.
	Collections *CollectionsClient
	// Points has the methods about vectors with a payload.
	Points *PointsClient

	conn          *grpc.ClientConn
	authorization string
	timeout       time.Duration
	maxAttempts   int
	tracer        trace.Tracer
}

// New makes a client; nothing is sent until its first call. The error is a [*SettingError]. Close the client when it is no
// longer used.
func New(options ...Option) (*Client, error) {
	return newClient(options)
}

// newClient is New with what only tests add: another way to dial.
func newClient(options []Option, extra ...grpc.DialOption) (*Client, error) {
	settings, err := resolve(options)
	if err != nil {
		return nil, err
	}
	transport, err := settings.transportCredentials()
	if err != nil {
		return nil, err
	}
	// Trying again is this package's own work (retry.go); gRPC's is switched off so that nothing is tried n × m times. Its
	// backoff is for connecting only, and short: the pauses between attempts are what keeps a client from hammering.
	conn, err := grpc.NewClient(settings.address, append([]grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithUserAgent("vexfs-go/" + Version),
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(messageMaxBytes), grpc.MaxCallSendMsgSize(messageMaxBytes)),
	}, extra...)...)
	if err != nil {
		return nil, &SettingError{"address", err}
	}
	client := &Client{conn: conn, timeout: settings.timeout, maxAttempts: settings.maxAttempts}
	if settings.token != "" {
		client.authorization = "Bearer " + settings.token
	}
	if settings.tracerProvider != nil {
		client.tracer = settings.tracerProvider.Tracer("github.com/vexfs/vexfs/sdk-go", trace.WithInstrumentationVersion(Version))
	}
	client.Files = &FilesClient{client}
	client.Collections = &CollectionsClient{client}
	client.Points = &PointsClient{client}
	return client, nil
}

// Close ends the connection and every call that is under way, which fail with [ErrCancelled].
func (c *Client) Close() error {
	return c.conn.Close()
}
