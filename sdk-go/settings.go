package vexfs

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// The defaults of the settings that have one.
const (
	// DefaultAddress is where a server on this machine serves gRPC.
	DefaultAddress = "127.0.0.1:8083"
	// DefaultTimeout is what a call may take.
	DefaultTimeout = 30 * time.Second
	// DefaultMaxAttempts is how often a call is tried at most.
	DefaultMaxAttempts = 4
)

// SettingError says that a setting cannot be used; [New] returns it.
type SettingError struct {
	// Setting is the setting's name, such as "timeout".
	Setting string
	// Err says what is wrong with it.
	Err error
}

// Error names the setting and what is wrong.
func (e *SettingError) Error() string {
	return fmt.Sprintf("vexfs: setting %s (or VEXFS_%s): %v", e.Setting, strings.ToUpper(e.Setting), e.Err)
}

// Unwrap is what is wrong with the setting.
func (e *SettingError) Unwrap() error { return e.Err }

// Option is a setting of a client, given to [New]. It wins over the variable VEXFS_* of the setting, and that over the default.
type Option func(*settings)

// settings holds what was given: nil means that the variable, then the default is looked at.
type settings struct {
	address, token                     *string
	tls                                *bool
	tlsCA, tlsClientCert, tlsClientKey *string
	timeout                            *time.Duration
	maxAttempts                        *int
	tracerProvider                     trace.TracerProvider
}

// WithAddress sets the server's gRPC address, "host:port". Variable: VEXFS_ADDRESS; default: [DefaultAddress].
func WithAddress(address string) Option { return func(s *settings) { s.address = &address } }

// WithToken sets the token that is sent with every call. Variable: VEXFS_TOKEN; default: none, as with an empty one.
func WithToken(token string) Option { return func(s *settings) { s.token = &token } }

// WithTLS speaks gRPC over TLS and trusts the system's certificates, or does not. Variable: VEXFS_TLS; default: off, but on if
// one of the files of [WithTLSCA] and [WithTLSClientCertificate] is given.
func WithTLS(on bool) Option { return func(s *settings) { s.tls = &on } }

// WithTLSCA names a PEM file of certificates to trust instead of the system's. Variable: VEXFS_TLS_CA.
func WithTLSCA(file string) Option { return func(s *settings) { s.tlsCA = &file } }

// WithTLSClientCertificate names PEM files of the certificate to show to the server and of its key. Variables:
// VEXFS_TLS_CLIENT_CERT and VEXFS_TLS_CLIENT_KEY.
func WithTLSClientCertificate(certFile, keyFile string) Option {
	return func(s *settings) { s.tlsClientCert, s.tlsClientKey = &certFile, &keyFile }
}

// WithTimeout sets what a call may take, all its attempts and pauses together, if its context has no deadline; 0 is no limit.
// Variable: VEXFS_TIMEOUT, in seconds; default: [DefaultTimeout].
func WithTimeout(timeout time.Duration) Option { return func(s *settings) { s.timeout = &timeout } }

// WithMaxAttempts sets how often a call is tried at most; 1 never tries again. Variable: VEXFS_MAX_ATTEMPTS; default:
// [DefaultMaxAttempts].
func WithMaxAttempts(attempts int) Option { return func(s *settings) { s.maxAttempts = &attempts } }

// WithTracerProvider makes an OpenTelemetry span of every call, with the number of its attempts. There is no variable; default:
// no spans.
func WithTracerProvider(provider trace.TracerProvider) Option {
	return func(s *settings) { s.tracerProvider = provider }
}

// resolved holds the settings that a client works with.
type resolved struct {
	address, token                     string
	tls                                bool
	tlsCA, tlsClientCert, tlsClientKey string
	timeout                            time.Duration
	maxAttempts                        int
	tracerProvider                     trace.TracerProvider
}

// resolve looks at options, then variables, then defaults. A *SettingError names what cannot be used.
func resolve(options []Option) (*resolved, error) {
	var given settings
	for _, option := range options {
		option(&given)
	}
	r := &resolved{tracerProvider: given.tracerProvider}
	var errs [6]error
	r.address, errs[0] = pick("address", given.address, DefaultAddress, parseAddress)
	r.token, errs[1] = pick("token", given.token, "", parseToken)
	r.tlsCA, _ = pick("tls_ca", given.tlsCA, "", parseText)
	r.tlsClientCert, _ = pick("tls_client_cert", given.tlsClientCert, "", parseText)
	r.tlsClientKey, _ = pick("tls_client_key", given.tlsClientKey, "", parseText)
	files := r.tlsCA != "" || r.tlsClientCert != "" || r.tlsClientKey != ""
	r.tls, errs[2] = pick("tls", given.tls, files, strconv.ParseBool)
	r.timeout, errs[3] = pick("timeout", given.timeout, DefaultTimeout, parseSeconds)
	r.maxAttempts, errs[4] = pick("max_attempts", given.maxAttempts, DefaultMaxAttempts, strconv.Atoi)
	errs[5] = r.check(files)
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return r, nil
}

// check finds what parses and still cannot be used.
func (r *resolved) check(files bool) error {
	if _, err := parseAddress(r.address); err != nil {
		return &SettingError{"address", err}
	}
	if _, err := parseToken(r.token); err != nil {
		return &SettingError{"token", err}
	}
	if files && !r.tls {
		return &SettingError{"tls", errors.New("is off, and a certificate or key is given")}
	}
	if r.timeout < 0 {
		return &SettingError{"timeout", fmt.Errorf("%v is negative", r.timeout)}
	}
	if r.maxAttempts < 1 {
		return &SettingError{"max_attempts", fmt.Errorf("%d is less than 1", r.maxAttempts)}
	}
	return nil
}

// pick takes what was given, else the variable, else the default.
func pick[T any](name string, given *T, fallback T, parse func(string) (T, error)) (T, error) {
	if given != nil {
		return *given, nil
	}
	text := os.Getenv("VEXFS_" + strings.ToUpper(name))
	if text == "" {
		return fallback, nil
	}
	value, err := parse(text)
	if err != nil {
		return fallback, &SettingError{name, err}
	}
	return value, nil
}

func parseText(text string) (string, error) { return text, nil }

func parseAddress(text string) (string, error) {
	if strings.HasPrefix(text, "unix:") {
		return text, nil
	}
	host, port, found := cutLast(text, ":")
	if _, err := strconv.ParseUint(port, 10, 16); !found || host == "" || err != nil || strings.Contains(text, "/") {
		return "", fmt.Errorf("%q is not host:port", text)
	}
	return text, nil
}

func cutLast(text, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(text, separator); i >= 0 {
		return text[:i], text[i+len(separator):], true
	}
	return text, "", false
}

// parseToken refuses what a header cannot hold; the message does not repeat the token.
func parseToken(text string) (string, error) {
	for _, r := range text {
		if r <= ' ' || r > '~' {
			return "", errors.New("holds a blank, a line break or something else that is not printable ASCII")
		}
	}
	return text, nil
}

func parseSeconds(text string) (time.Duration, error) {
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(seconds) || seconds < 0 || seconds > math.MaxInt64/1e9 {
		return 0, fmt.Errorf("%q is no number of seconds", text)
	}
	return time.Duration(seconds * float64(time.Second)), nil
}
