// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"

	"github.com/gorilla/websocket"
)

// dial upgrades to a WebSocket, and fails unless the platform agrees to exactly
// what was asked for. withToken is whether the platform may have got a token of oauth2.
func (s *Session) dial(ctx context.Context, route *Route, withToken bool) (*socket, *Failure) {
	what := "upgrade GET " + route.name()
	asked := s.settings.Subprotocol

	var line *idleTimeoutConn
	var release func() bool
	dialer := *s.settings.Dialer
	if asked != "" {
		dialer.Subprotocols = []string{asked}
	}
	connect := netDialer(s.settings.Dialer)
	dialer.NetDialContext = func(dialing context.Context, network, address string) (net.Conn, error) {
		began := time.Now()
		conn, err := connect(dialing, network, address)
		if err != nil {
			return nil, err
		}
		// The handshake heeds its deadline, but not the end of its context.
		release = context.AfterFunc(ctx, func() { _ = conn.Close() })
		line = &idleTimeoutConn{Conn: conn, roundTrip: time.Since(began), lag: readLag{pingDue: make(chan struct{}, 1)}}
		line.limit(maxHandshakeSize)
		return line, nil
	}
	through := proxied(&dialer)
	conn, response, err := dialer.DialContext(through.trace(ctx), route.Socket.String(), route.Header) //nolint:bodyclose // gorilla has read what there is
	if release != nil {
		release()
	}
	if err != nil {
		if response == nil {
			err = through.blame(err)
		}
		return nil, upgradeFailure(what, response, withToken, err)
	}
	if failure := checkUpgrade(what, asked, conn.Subprotocol(), response.Header); failure != nil {
		_ = conn.WriteControl(websocket.CloseMessage,
			websocket.FormatCloseMessage(websocket.CloseProtocolError, "not what was asked for"), time.Now().Add(writeTimeout))
		_ = conn.Close()
		return nil, failure
	}
	line.setIdleTimeout(s.settings.Heartbeat.Timeout)
	return newSocket(conn, line, &s.settings), nil
}

// proxyUse is which proxy a dial uses, and whether the connection through it is up.
type proxyUse struct {
	proxy *url.URL // nil: none
	up    bool
}

// proxied makes a dialer note which proxy it uses.
func proxied(dialer *websocket.Dialer) *proxyUse {
	use := &proxyUse{}
	choose := dialer.Proxy
	if choose == nil {
		return use
	}
	dialer.Proxy = func(request *http.Request) (*url.URL, error) {
		proxy, err := choose(request)
		use.proxy = proxy
		return proxy, err
	}
	return use
}

// trace notes that the platform, and not only the proxy, is reached.
func (u *proxyUse) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { u.up = true }})
}

// blame names the proxy in the error of a dial that it failed.
func (u *proxyUse) blame(err error) error {
	if u.proxy == nil || u.up {
		return err
	}
	failed := &proxyError{proxy: proxyName(u.proxy), err: err}
	if err.Error() == http.StatusText(http.StatusProxyAuthRequired) { // all that gorilla keeps of the answer
		failed.status = http.StatusProxyAuthRequired
	}
	return failed
}

func upgradeFailure(what string, response *http.Response, withToken bool, err error) *Failure {
	switch {
	case response == nil:
		return transportFailure(what, err)
	case !errors.Is(err, websocket.ErrBadHandshake):
		return permanent(BadAnswer, fmt.Errorf("%s: %w", what, brief{err}))
	case response.StatusCode == http.StatusSwitchingProtocols:
		return permanent(BadAnswer, fmt.Errorf("%s: the answer is no WebSocket upgrade of RFC 6455: %w", what, err))
	default:
		return statusFailure(what, response, withToken, time.Now())
	}
}

// agreed compares what was asked for with the answer. Compression is never asked
// for: its decompressed size is not bounded.
func checkUpgrade(what, asked, answer string, header http.Header) *Failure {
	if answer != asked {
		return permanent(Subprotocol, fmt.Errorf("%s: we asked for %s, the platform answered with %s; check platform, or set subprotocol",
			what, subprotocolName(asked), subprotocolName(answer)))
	}
	if extensions := header.Get("Sec-Websocket-Extensions"); extensions != "" {
		return permanent(BadAnswer, fmt.Errorf("%s: the platform answered with the extension %.64q, which nobody asked for", what, extensions))
	}
	return nil
}

func subprotocolName(name string) string {
	if name == "" {
		return "no subprotocol"
	}
	return fmt.Sprintf("subprotocol %.64q", name)
}
