package vexfs

import (
	"errors"
	"testing"

	"github.com/vexfs/vexfs/sdk-go/internal/testserver"
)

func TestTLSAndTheClientsCertificate(t *testing.T) {
	cert, key := writeCertificate(t, t.TempDir())
	other, otherKey := writeCertificate(t, t.TempDir())
	server, err := testserver.Start(t.TempDir(), "--tls-cert", cert, "--tls-key", key, "--tls-client-ca", cert)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	for name, test := range map[string]struct {
		options []Option
		want    error
	}{
		"both sides known":             {[]Option{WithTLSCA(cert), WithTLSClientCertificate(cert, key)}, nil},
		"no certificate of the client": {[]Option{WithTLSCA(cert)}, ErrUnavailable},
		"another client":               {[]Option{WithTLSCA(cert), WithTLSClientCertificate(other, otherKey)}, ErrUnavailable},
		"another server":               {[]Option{WithTLSCA(other), WithTLSClientCertificate(cert, key)}, ErrUnavailable},
		"the system's certificates":    {[]Option{WithTLS(true), WithTLSClientCertificate(cert, key)}, ErrUnavailable},
		"no TLS":                       {nil, ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			client, err := New(append(test.options, WithAddress(server.Address), WithToken(server.Token), WithMaxAttempts(1))...)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			file, err := client.Files.Stat(t.Context(), Path("/"))
			if test.want == nil && (err != nil || file.ID != 1) || test.want != nil && !errors.Is(err, test.want) {
				t.Error(file, err)
			}
		})
	}
}
