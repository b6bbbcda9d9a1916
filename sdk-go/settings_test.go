package vexfs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// settingsTable reads the rows of the table in docs/sdk.md: setting, variable, default.
func settingsTable(t *testing.T) [][]string {
	t.Helper()
	text, err := os.ReadFile("../docs/sdk.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	row := regexp.MustCompile("(?m)^\\| ([a-z_]+) \\| `(VEXFS_[A-Z_]+)` \\| ([^|]+) \\|")
	for _, match := range row.FindAllStringSubmatch(string(text), -1) {
		rows = append(rows, []string{match[1], match[2], strings.Trim(match[3], "` ")})
	}
	if len(rows) < 9 {
		t.Fatal("the table of docs/sdk.md was not found")
	}
	return rows
}

// clearSettings makes every variable empty, which is to be the same as unset, until the test ends.
func clearSettings(t *testing.T) {
	t.Helper()
	for _, row := range settingsTable(t) {
		t.Setenv(row[1], "")
	}
}

func TestSettingsAreThoseOfTheTable(t *testing.T) {
	clearSettings(t)
	folder := t.TempDir()
	cert, key := writeCertificate(t, folder)
	other, otherKey := writeCertificate(t, t.TempDir())
	// What each setting is tried with: by variable, by argument, and how the resolved settings show it.
	type trial struct {
		variable, fromVariable string
		option                 Option
		fromOption             string
		show                   func(*resolved) any
	}
	trials := map[string]trial{
		"address": {"a.test:1", "a.test:1", WithAddress("b.test:2"), "b.test:2", func(r *resolved) any { return r.address }},
		"token":   {"one", "one", WithToken("two"), "two", func(r *resolved) any { return r.token }},
		"tls":     {"true", "true", WithTLS(false), "false", func(r *resolved) any { return r.tls }},
		"tls_ca":  {cert, cert, WithTLSCA(other), other, func(r *resolved) any { return r.tlsCA }},
		"tls_client_cert": {cert, cert, WithTLSClientCertificate(other, otherKey), other,
			func(r *resolved) any { return r.tlsClientCert }},
		"tls_client_key": {key, key, WithTLSClientCertificate(other, otherKey), otherKey,
			func(r *resolved) any { return r.tlsClientKey }},
		"timeout":      {"2.5", "2.5s", WithTimeout(time.Minute), "1m0s", func(r *resolved) any { return r.timeout }},
		"max_attempts": {"2", "2", WithMaxAttempts(7), "7", func(r *resolved) any { return r.maxAttempts }},
	}
	// As the table words the defaults.
	defaults := map[string]string{"none": "", "off": "false", "the system's": "", "30": "30s"}
	for _, row := range settingsTable(t) {
		name, variable, fallback := row[0], row[1], row[2]
		if name == "url" {
			continue // REST and Connect: this SDK speaks gRPC only
		}
		trial, known := trials[name]
		if !known {
			t.Errorf("docs/sdk.md has the setting %s, this SDK does not", name)
			continue
		}
		delete(trials, name)
		check := func(what, want string, options ...Option) {
			t.Helper()
			settings, err := resolve(options)
			if err != nil {
				t.Errorf("%s from %s: %v", name, what, err)
			} else if got := fmt.Sprint(trial.show(settings)); got != want {
				t.Errorf("%s from %s: %s instead of %s", name, what, got, want)
			}
		}
		if word, ok := defaults[fallback]; ok {
			fallback = word
		}
		check("an empty variable", fallback)
		os.Unsetenv(variable) // t.Setenv restores it all the same
		check("the default", fallback)
		t.Setenv(variable, trial.variable)
		check("the variable", trial.fromVariable)
		check("the argument", trial.fromOption, trial.option)
		t.Setenv(variable, "")
	}
	for name := range trials {
		t.Errorf("this SDK has the setting %s, docs/sdk.md does not", name)
	}
}

func TestWhatCannotBeReadIsAnErrorThatNamesTheSetting(t *testing.T) {
	clearSettings(t)
	folder := t.TempDir()
	cert, key := writeCertificate(t, folder)
	missing, empty := filepath.Join(folder, "missing.pem"), filepath.Join(folder, "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		setting, value string
		options        []Option
	}{
		{"timeout", "soon", nil}, {"timeout", "-1", nil}, {"timeout", "NaN", nil}, {"timeout", "1e30", nil},
		{"timeout", "", []Option{WithTimeout(-time.Second)}},
		{"max_attempts", "0", nil}, {"max_attempts", "1.5", nil}, {"max_attempts", "", []Option{WithMaxAttempts(-1)}},
		{"tls", "perhaps", nil}, {"tls", "", []Option{WithTLS(false), WithTLSCA(cert)}},
		{"address", "here", nil}, {"address", ":8083", nil}, {"address", "http://127.0.0.1:8083", nil}, {"address", "a:99999", nil},
		{"address", "", []Option{WithAddress("")}},
		{"token", "two words", nil}, {"token", "", []Option{WithToken("a\nb")}},
		{"tls_ca", missing, nil}, {"tls_ca", empty, nil}, {"tls_ca", "", []Option{WithTLSCA(missing)}},
		{"tls_client_cert", missing, []Option{WithTLSClientCertificate(missing, key)}},
		{"tls_client_key", missing, []Option{WithTLSClientCertificate(cert, missing)}},
		{"tls_client_key", "", []Option{WithTLSClientCertificate(cert, "")}},
		{"tls_client_cert", "", []Option{WithTLSClientCertificate("", key)}},
		{"tls_client_cert", "", []Option{WithTLSClientCertificate(empty, key)}},
	} {
		t.Run(test.setting+"="+test.value, func(t *testing.T) {
			if test.options == nil {
				t.Setenv("VEXFS_"+strings.ToUpper(test.setting), test.value)
			}
			client, err := New(test.options...)
			var settingError *SettingError
			if !errors.As(err, &settingError) || settingError.Setting != test.setting || client != nil {
				t.Fatalf("%v", err)
			}
			if !strings.Contains(err.Error(), test.setting) {
				t.Error("its text does not name the setting:", err)
			}
			if test.setting == "token" && strings.Contains(err.Error(), "words") {
				t.Error("its text shows the token:", err)
			}
		})
	}
}

func TestACertificateAloneMeansItsKeyIsMissing(t *testing.T) {
	clearSettings(t)
	cert, _ := writeCertificate(t, t.TempDir())
	t.Setenv("VEXFS_TLS_CLIENT_CERT", cert)
	var settingError *SettingError
	if _, err := New(); !errors.As(err, &settingError) || settingError.Setting != "tls_client_key" {
		t.Error(err)
	}
}

// writeCertificate writes a certificate for this machine, signed by itself, and its key.
func writeCertificate(t *testing.T, folder string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	for file, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "EC PRIVATE KEY", Bytes: keyDER},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}
