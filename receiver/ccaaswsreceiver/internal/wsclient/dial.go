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
	"slices"
	"time"

	"github.com/gorilla/websocket"
)

// dial opens a WebSocket. It fails unless the platform accepts a requested subprotocol. withToken is whether the request has a token of oauth2.
func (s *Session) dial(ctx context.Context, attempt *attempt, route *Route, withToken bool) (*socket, *Failure) {
	what := "upgrade GET " + route.name()
	requested := s.settings.Subprotocols
	if route.Subprotocol != "" {
		requested = []string{route.Subprotocol}
	}

	var line *idleTimeoutConn
	var release func() bool
	dialer := *s.settings.Dialer
	dialer.Subprotocols = requested
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
	dialing, steps := attempt.dialing(through.trace(ctx))
	conn, response, err := dialer.DialContext(dialing, route.Socket.String(), route.Header) //nolint:bodyclose // gorilla has read what there is
	steps.end(err)
	if release != nil {
		release()
	}
	if err != nil {
		if response == nil {
			err = through.blame(err)
		}
		return nil, upgradeFailure(what, route.Advice, response, withToken, err)
	}
	if failure := checkUpgrade(what, requested, conn.Subprotocol(), response.Header); failure != nil {
		_ = conn.WriteControl(websocket.CloseMessage,
			websocket.FormatCloseMessage(websocket.CloseProtocolError, "not a requested subprotocol"), time.Now().Add(writeTimeout))
		_ = conn.Close()
		return nil, failure
	}
	line.setIdleTimeout(s.settings.Heartbeat.Timeout)
	return newSocket(conn, line, &s.settings), nil
}

// proxyUse is the proxy of a dial, and whether the connection through it is up.
type proxyUse struct {
	proxy *url.URL // nil: none
	up    bool
}

// proxied makes a dialer record its proxy.
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

// trace records that the platform, and not only the proxy, is reached.
func (u *proxyUse) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { u.up = true }})
}

// blame adds the proxy to an error of the connection to it.
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

func upgradeFailure(what, advice string, response *http.Response, withToken bool, err error) *Failure {
	switch {
	case response == nil:
		return transportFailure(what, err)
	case !errors.Is(err, websocket.ErrBadHandshake):
		return permanent(BadAnswer, fmt.Errorf("%s: %w", what, brief{err}))
	case response.StatusCode == http.StatusSwitchingProtocols:
		return permanent(BadAnswer, fmt.Errorf("%s: the answer is no WebSocket upgrade of RFC 6455: %w", what, err))
	case advice != "" && slices.Contains(wrongUpgrade, response.StatusCode):
		failure := statusFailure(what, response, withToken, time.Now())
		failure.err = fmt.Errorf("%s: %d %s; %s", what, response.StatusCode, http.StatusText(response.StatusCode), advice)
		return failure
	default:
		return statusFailure(what, response, withToken, time.Now())
	}
}

// wrongUpgrade are the statuses of servers that do not expect an upgrade at this path, or
// not with these headers.
var wrongUpgrade = []int{http.StatusBadRequest, http.StatusNotFound, http.StatusUpgradeRequired}

// checkUpgrade compares the response with the request. Compression is never requested:
// its decompressed size is not bounded.
func checkUpgrade(what string, requested []string, answer string, header http.Header) *Failure {
	if !slices.Contains(requested, answer) && (answer != "" || len(requested) > 0) {
		return permanent(Subprotocol, fmt.Errorf("%s: %s was requested, the platform answered with %s; check platform, or set subprotocol",
			what, subprotocolNames(requested), subprotocolNames([]string{answer})))
	}
	if extensions := header.Get("Sec-Websocket-Extensions"); extensions != "" {
		return permanent(BadAnswer, fmt.Errorf("%s: the platform answered with the extension %.64q, that was not requested", what, extensions))
	}
	return nil
}

func subprotocolNames(names []string) string {
	if len(names) == 0 || names[0] == "" {
		return "no subprotocol"
	}
	return "subprotocol " + protocolList(names)
}
