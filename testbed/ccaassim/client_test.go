// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaassim

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api/realtime"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/config"
)

// start runs a simulator for the length of a test.
func start(t *testing.T, change func(*config.Config)) *Server {
	t.Helper()
	config := config.Default()
	if change != nil {
		change(&config)
	}
	server, err := Start(config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	return server
}

// client is a client of the platform, as the contract has it.
type client struct {
	server *Server
	http   *http.Client
	tls    *tls.Config
}

func newClient(t testing.TB, server *Server) *client {
	t.Helper()
	c := &client{server: server}
	if pem := server.Certificate(); pem != nil {
		roots := x509.NewCertPool()
		require.True(t, roots.AppendCertsFromPEM(pem))
		c.tls = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	transport := &http.Transport{TLSClientConfig: c.tls.Clone()}
	c.http = &http.Client{Transport: transport}
	t.Cleanup(transport.CloseIdleConnections)
	return c
}

// do makes a request and gives its status, header and JSON body.
func (c *client) do(t testing.TB, method, path, token, body string) (int, http.Header, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, c.server.URL()+path, strings.NewReader(body))
	require.NoError(t, err)
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := c.http.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, response.Header, string(content)
}

// token gets a token.
func (c *client) token(t testing.TB) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"someone"}, "client_secret": {"secret"}, "scope": {"a:b c:d"}}
	status, _, body := c.do(t, http.MethodPost, realtime.TokenPath, "", form.Encode())
	require.Equal(t, http.StatusOK, status, body)
	var token struct {
		AccessToken string `json:"access_token"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &token))
	return token.AccessToken
}

// dial upgrades, with the Genesys subprotocol.
func (c *client) dial(t testing.TB) *websocket.Conn {
	t.Helper()
	conn, _, err := c.tryDial(t.Context(), c.token(t), config.SubprotocolGenesys)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// handshake is the platform's answer to an upgrade.
type handshake struct {
	status      int
	subprotocol string
}

func (c *client) tryDial(ctx context.Context, token string, subprotocols ...string) (*websocket.Conn, handshake, error) {
	dialer := websocket.Dialer{Subprotocols: subprotocols, TLSClientConfig: c.tls.Clone()}
	header := http.Header{}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	conn, response, err := dialer.DialContext(ctx, "ws"+strings.TrimPrefix(c.server.URL(), "http")+realtime.StreamPath, header)
	var answer handshake
	if response != nil {
		_ = response.Body.Close()
		answer = handshake{status: response.StatusCode, subprotocol: response.Header.Get("Sec-Websocket-Protocol")}
	}
	return conn, answer, err
}
