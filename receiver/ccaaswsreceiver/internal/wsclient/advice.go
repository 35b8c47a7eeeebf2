// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// proxyError is an error of the proxy between us and the platform.
type proxyError struct {
	proxy  string // without credentials
	status int    // of its response to CONNECT; 0: there is none
	err    error
}

func (e *proxyError) Error() string { return "proxy " + e.proxy + ": " + e.err.Error() }

func (e *proxyError) Unwrap() error { return e.err }

// ProxyAnswer is the hook of an http.Transport for a proxy's responses to CONNECT.
func ProxyAnswer(_ context.Context, proxy *url.URL, _ *http.Request, response *http.Response) error {
	if response.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyError{
		proxy: proxyName(proxy), status: response.StatusCode,
		err: fmt.Errorf("%d %s", response.StatusCode, http.StatusText(response.StatusCode)),
	}
}

func proxyName(proxy *url.URL) string { return proxy.Scheme + "://" + proxy.Host }

// advice returns what to do about a request without a response, where the cause is
// known, and whether only an administrator can do it.
func advice(err error, now time.Time) (text string, permanent bool) {
	var (
		certificate *tls.CertificateVerificationError
		noTLS       tls.RecordHeaderError
		proxy       *proxyError
		operation   *net.OpError
	)
	switch {
	case errors.As(err, &proxy) && proxy.status == http.StatusProxyAuthRequired:
		return "give proxy_url the user name and the password of the proxy", true
	case errors.As(err, &proxy), errors.As(err, &operation) && operation.Op == "proxyconnect":
		return "the proxy fails, not the platform: check proxy_url, or HTTPS_PROXY and NO_PROXY in the environment", false
	case errors.As(err, &certificate):
		return certificateAdvice(certificate.Err, now), true
	case errors.As(err, &noTLS):
		return "the server does not speak TLS there: check scheme and port of the address", false
	default:
		return "", false
	}
}

// withoutToken is the advice for a platform that refuses a request without a token.
const withoutToken = "no token of oauth2 was sent: configure oauth2, or check the credentials in endpoint and session"

// RefusalAdvice returns what to check where a platform refuses a token, or a request without one.
func RefusalAdvice(withToken bool) string {
	if !withToken {
		return withoutToken
	}
	return "the token is not accepted: check oauth2, and what the client may do"
}

// certificateAdvice returns what to do about a certificate that cannot be verified.
func certificateAdvice(err error, now time.Time) string {
	var (
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &unknown):
		return "put the CA that signed it into tls::ca_file"
	case errors.As(err, &host):
		return "the certificate is another host's: check the address, or set tls::server_name_override to a name that it has"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil && now.Before(invalid.Cert.NotBefore):
		return fmt.Sprintf("the certificate is not valid before %s: check the clock of this machine, then the certificate; a CA file does not help", day(invalid.Cert.NotBefore))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		return fmt.Sprintf("the certificate expired at %s: it has to be renewed where the platform, or a proxy that opens TLS, is run; a CA file does not help", day(invalid.Cert.NotAfter))
	case errors.As(err, &invalid):
		return "the certificate cannot be used: it has to be replaced where the platform, or a proxy that opens TLS, is run"
	default:
		return "the certificate cannot be verified: check tls, and who answers at the address"
	}
}

func day(at time.Time) string { return at.UTC().Format(time.RFC3339) }
