// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// certify writes a certificate for loopback and its key into a folder.
func certify(t testing.TB, folder string) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	certificate, key = filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key")
	require.NoError(t, os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}), 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}), 0o600))
	return certificate, key
}

// oldFashioned is a server that speaks TLS 1.1 at most.
type oldFashioned struct {
	address string

	mutex   sync.Mutex
	offered []uint16 // the oldest version that each client offered
	agreed  int
}

func startOldFashioned(t *testing.T, certificate, key string) *oldFashioned {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(certificate, key)
	require.NoError(t, err)
	o := &oldFashioned{}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11, //nolint:gosec // that is the test
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			o.mutex.Lock()
			defer o.mutex.Unlock()
			o.offered = append(o.offered, slices.Min(hello.SupportedVersions))
			return nil, nil
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	o.address = listener.Addr().String()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if conn.(*tls.Conn).HandshakeContext(t.Context()) == nil {
				o.mutex.Lock()
				o.agreed++
				o.mutex.Unlock()
			}
			_ = conn.Close()
		}
	}()
	return o
}

const tlsConfig = `
extensions:
  health_check: { http: { endpoint: "${env:HEALTH}", tls: &tls { cert_file: "${env:CERT}", key_file: "${env:KEY}" }, status: { enabled: true, path: / } } }
  dashboard: { endpoint: "${env:PAGE}", tls: *tls, store: { directory: "${env:DATA}" } }
receivers:
  otlp: { protocols: { grpc: { endpoint: "${env:GRPC}", tls: *tls }, http: { endpoint: "${env:HTTP}", tls: *tls } } }
  ccaas_ws:
    platform: genesys_cloud
    endpoint: wss://${env:OLD_PLATFORM}
    tls: &ca { ca_file: "${env:CERT}" }
    tenant_id: acme_corp
    oauth2: { client_id: id, client_secret: secret }
    reconnect: { initial_interval: 50ms, max_interval: 100ms }
exporters:
  prometheus: { endpoint: "${env:SCRAPE}", tls: *tls }
  otlp_http: { endpoint: "https://${env:OLD_STORE}", tls: *ca }
  prometheus_remote_write: { endpoint: "https://${env:OLD_REMOTE}", tls: *ca }
  webhook: { endpoint: "https://${env:OLD_WEBHOOK}", tls: *ca }
service:
  extensions: [health_check, dashboard]
  telemetry: { metrics: { level: none } }
  pipelines:
    logs/events: { receivers: [ccaas_ws, otlp], exporters: [webhook, otlp_http] }
    metrics: { receivers: [otlp], exporters: [prometheus, prometheus_remote_write] }
`

// Whoever speaks nothing newer than TLS 1.1 gets no connection: not as a client of
// any of our listeners, and not as a server to any of our clients.
func TestFaultOldTLS(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	certificate, key := certify(t, folder)
	environment := []string{"CERT=" + certificate, "KEY=" + key, "DATA=" + filepath.Join(folder, "store")}
	listeners := map[string]string{}
	for _, name := range []string{"HEALTH", "PAGE", "GRPC", "HTTP", "SCRAPE"} {
		listeners[name] = fmt.Sprintf("127.0.0.1:%d", freePort(t))
		environment = append(environment, name+"="+listeners[name])
	}
	servers := map[string]*oldFashioned{}
	for _, name := range []string{"OLD_PLATFORM", "OLD_STORE", "OLD_REMOTE", "OLD_WEBHOOK"} {
		servers[name] = startOldFashioned(t, certificate, key)
		environment = append(environment, name+"="+servers[name].address)
	}
	config := filepath.Join(folder, "config.yaml")
	require.NoError(t, os.WriteFile(config, []byte(tlsConfig), 0o600))
	start(t, "otelcol-ccaas", environment, "--config", config)

	authorities := x509.NewCertPool()
	text, err := os.ReadFile(certificate)
	require.NoError(t, err)
	require.True(t, authorities.AppendCertsFromPEM(text))
	dial := func(address string, newest uint16) error {
		conn, err := tls.Dial("tcp", address, &tls.Config{
			RootCAs: authorities, MinVersion: tls.VersionTLS10, MaxVersion: newest, NextProtos: []string{"h2", "http/1.1"}, //nolint:gosec // that is the test
		})
		if err == nil {
			err = conn.Close()
		}
		return err
	}
	for name, address := range listeners {
		eventually(t, func() error { return dial(address, tls.VersionTLS12) })
		for _, old := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
			require.ErrorContains(t, dial(address, old), "protocol version", "%s takes %s", name, tls.VersionName(old))
		}
	}
	offer(t, listeners["HTTP"], authorities)
	for name, server := range servers {
		eventually(t, func() error {
			server.mutex.Lock()
			defer server.mutex.Unlock()
			if len(server.offered) == 0 {
				return errors.New("nobody has come to " + name)
			}
			return nil
		})
		server.mutex.Lock()
		assert.GreaterOrEqual(t, slices.Min(server.offered), uint16(tls.VersionTLS12), name)
		assert.Zero(t, server.agreed, name)
		server.mutex.Unlock()
	}
	measured(t, "%d listeners refuse TLS 1.0 and 1.1, %d clients offer TLS 1.2 and newer only", len(listeners), len(servers))
}

// offer sends a log record and a metric, for the exporters to have something to send.
func offer(t *testing.T, address string, authorities *x509.CertPool) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12}}}
	defer client.CloseIdleConnections()
	for path, body := range map[string]string{
		"/v1/logs": `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"something"}}]}]}]}`,
		"/v1/metrics": `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"some","gauge":{"dataPoints":[` +
			fmt.Sprintf(`{"timeUnixNano":"%d","asDouble":1}]}}]}]}]}`, time.Now().UnixNano()),
	} {
		response, err := client.Post("https://"+address+path, "application/json", strings.NewReader(body))
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusOK, response.StatusCode)
	}
}
