package main

import (
	"errors"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/vexfs/vexfs/sdk-go"
	"github.com/vexfs/vexfs/sdk-go/conformance/internal/adapterpb"
)

// clients keeps one client for each distinct connection.
type clients struct {
	mutex sync.Mutex
	made  map[string]*vexfs.Client
}

// get is the client of a connection, or the result that says why there is none.
func (c *clients) get(connection *adapterpb.Connection) (*vexfs.Client, *adapterpb.Result) {
	if transport := connection.GetTransport(); transport != "" && transport != "grpc" {
		return nil, failed(unsupported("the transport " + transport + ": this SDK speaks gRPC"))
	}
	key, err := proto.MarshalOptions{Deterministic: true}.Marshal(connection)
	if err != nil {
		return nil, faulty(err.Error())
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if client := c.made[string(key)]; client != nil {
		return client, nil
	}
	client, err := vexfs.New(options(connection)...)
	if err != nil {
		return nil, refused(err)
	}
	if c.made == nil {
		c.made = map[string]*vexfs.Client{}
	}
	c.made[string(key)] = client
	return client, nil
}

func (c *clients) close() {
	for _, client := range c.made {
		client.Close()
	}
}

// options are the settings that are set, and no others. The url is for REST and Connect, which this SDK does not speak.
func options(c *adapterpb.Connection) []vexfs.Option {
	var options []vexfs.Option
	if c == nil {
		return nil
	}
	if c.Address != nil {
		options = append(options, vexfs.WithAddress(c.GetAddress()))
	}
	if c.Token != nil {
		options = append(options, vexfs.WithToken(c.GetToken()))
	}
	if c.Tls != nil {
		options = append(options, vexfs.WithTLS(c.GetTls()))
	}
	if c.TlsCa != nil {
		options = append(options, vexfs.WithTLSCA(c.GetTlsCa()))
	}
	if c.TlsClientCert != nil || c.TlsClientKey != nil {
		options = append(options, vexfs.WithTLSClientCertificate(c.GetTlsClientCert(), c.GetTlsClientKey()))
	}
	if c.TimeoutMs != nil {
		options = append(options, vexfs.WithTimeout(milliseconds(c.GetTimeoutMs())))
	}
	if c.MaxAttempts != nil {
		options = append(options, vexfs.WithMaxAttempts(int(c.GetMaxAttempts())))
	}
	return options
}

func refused(err error) *adapterpb.Result {
	var setting *vexfs.SettingError
	if !errors.As(err, &setting) {
		return faulty("New failed with something that is no *SettingError: " + err.Error())
	}
	return &adapterpb.Result{Outcome: &adapterpb.Result_SettingsError{
		SettingsError: &adapterpb.SettingsError{Setting: setting.Setting, Message: setting.Error()},
	}}
}

func milliseconds(count uint32) time.Duration { return time.Duration(count) * time.Millisecond }

// afterFunc calls f after the pause unless it is stopped before.
func afterFunc(pause time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(pause, f).Stop
}
