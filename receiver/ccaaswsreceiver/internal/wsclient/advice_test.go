// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// verified verifies a certificate with a life and a host as a client does that
// trusts its signer, or does not.
func verified(t *testing.T, from, to time.Time, host string, trusted bool) error {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "platform"}, DNSNames: []string{"platform.example.com"},
		NotBefore: from, NotAfter: to, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	certificate, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	if trusted {
		roots.AddCert(certificate)
	}
	_, err = certificate.Verify(x509.VerifyOptions{DNSName: host, Roots: roots})
	require.Error(t, err)
	return &tls.CertificateVerificationError{UnverifiedCertificates: []*x509.Certificate{certificate}, Err: err}
}

func TestAdvice_Certificates(t *testing.T) {
	t.Parallel()
	const host = "platform.example.com"
	now := time.Now()
	for name, test := range map[string]struct {
		err  error
		says string
	}{
		"expired":       {verified(t, now.AddDate(0, -2, 0), now.AddDate(0, -1, 0), host, true), "the certificate expired at "},
		"not yet valid": {verified(t, now.AddDate(1, 0, 0), now.AddDate(2, 0, 0), host, true), "the clock of this machine"},
		"wrong host":    {verified(t, now.AddDate(0, -1, 0), now.AddDate(0, 1, 0), "other.example.com", true), "another host's"},
		"unknown CA":    {verified(t, now.AddDate(0, -1, 0), now.AddDate(0, 1, 0), host, false), "put the CA that signed it into tls::ca_file"},
	} {
		failure := transportFailure("upgrade", test.err)
		assert.True(t, failure.Permanent, name)
		require.ErrorContains(t, failure, test.says, name)
		assert.Equal(t, name == "unknown CA", strings.Contains(failure.Error(), "tls::ca_file"), name)
	}
}

func TestAdvice_PlainTextInsteadOfTLS(t *testing.T) {
	t.Parallel()
	failure := transportFailure("upgrade", tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"})
	require.ErrorContains(t, failure, "does not speak TLS there: check scheme and port")
	assert.False(t, failure.Permanent)
}

// listening is a server that answers each connection with a text, and closes it.
func listening(t *testing.T, text string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				if _, err := conn.Read(make([]byte, 4096)); err == nil {
					_, _ = conn.Write([]byte(text))
				}
			}()
		}
	}()
	return listener.Addr().String()
}

func TestAdvice_Proxies(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		proxy     string
		says      []string
		permanent bool
	}{
		"down":         {"127.0.0.1:1", []string{"connection refused", "the proxy fails, not the platform"}, false},
		"refuses":      {listening(t, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), []string{"Forbidden", "the proxy fails, not the platform"}, false},
		"wants a name": {listening(t, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"), []string{"Proxy Authentication Required", "user name and the password of the proxy"}, true},
		"is none":      {listening(t, "SSH-2.0-OpenSSH\r\n"), []string{"the proxy fails, not the platform"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := http.ProxyURL(&url.URL{Scheme: "http", Host: test.proxy, User: url.UserPassword("someone", "hush")})
			client := &http.Client{Transport: &http.Transport{Proxy: proxy, OnProxyConnectResponse: ProxyAnswer}}
			_, byHTTP := Do(t.Context(), client, &Call{What: "pre-flight", Method: http.MethodGet, URL: &url.URL{Scheme: "https", Host: "platform.example.com"}})
			s := New(Settings{Dialer: &websocket.Dialer{Proxy: proxy}}, &witness{})
			_, bySocket := s.dial(t.Context(), nil, &Route{Socket: &url.URL{Scheme: "wss", Host: "platform.example.com"}}, true)
			failures := []*Failure{bySocket}
			if name != "is none" { // net/http does not say who sent what it cannot read
				failures = append(failures, byHTTP)
			}
			for _, failure := range failures {
				require.NotNil(t, failure)
				assert.Equal(t, Unreachable, failure.Cause)
				assert.Equal(t, test.permanent, failure.Permanent)
				for _, says := range test.says {
					require.ErrorContains(t, failure, says)
				}
				assert.NotContains(t, failure.Error(), "hush")
			}
			require.ErrorContains(t, bySocket, "proxy http://"+test.proxy)
		})
	}
	_, permanent := advice(errors.New("another error"), time.Time{})
	assert.False(t, permanent)
}
