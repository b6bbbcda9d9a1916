package vexfs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// transportCredentials makes what the settings say of TLS; errors are *SettingError.
func (r *resolved) transportCredentials() (credentials.TransportCredentials, error) {
	if !r.tls {
		return insecure.NewCredentials(), nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if r.tlsCA != "" {
		pem, err := os.ReadFile(r.tlsCA)
		if err != nil {
			return nil, &SettingError{"tls_ca", err}
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &SettingError{"tls_ca", errors.New("the file holds no certificate in PEM")}
		}
	}
	if err := r.addClientCertificate(config); err != nil {
		return nil, err
	}
	return credentials.NewTLS(config), nil
}

func (r *resolved) addClientCertificate(config *tls.Config) error {
	if r.tlsClientCert == "" && r.tlsClientKey == "" {
		return nil
	}
	if r.tlsClientKey == "" {
		return &SettingError{"tls_client_key", errors.New("is missing: a certificate needs its key")}
	}
	if r.tlsClientCert == "" {
		return &SettingError{"tls_client_cert", errors.New("is missing: a key needs its certificate")}
	}
	cert, err := os.ReadFile(r.tlsClientCert)
	if err != nil {
		return &SettingError{"tls_client_cert", err}
	}
	key, err := os.ReadFile(r.tlsClientKey)
	if err != nil {
		return &SettingError{"tls_client_key", err}
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return &SettingError{"tls_client_cert", err}
	}
	config.Certificates = []tls.Certificate{pair}
	return nil
}
