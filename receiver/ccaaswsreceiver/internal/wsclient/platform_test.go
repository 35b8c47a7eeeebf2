// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

// fake is a platform in memory, in the time of a synctest bubble. What it answers
// is the test's; unless that says otherwise, it is what it should be.
type fake struct {
	token     http.HandlerFunc
	preflight http.HandlerFunc
	upgrade   http.HandlerFunc
	socket    func(*websocket.Conn) // talks on a socket that is up; nil: reads until the end

	mutex  sync.Mutex
	asked  []request
	lines  chan net.Conn
	closed chan struct{}
}

// request is one that the platform got.
type request struct {
	path, authorization string
	at                  time.Time
}

const (
	protocol = "v2.realtime-events"
	token    = "top-secret-token"
)

// Accept makes the fake a listener of its own.
func (f *fake) Accept() (net.Conn, error) {
	select {
	case line := <-f.lines:
		return line, nil
	case <-f.closed:
		return nil, net.ErrClosed
	}
}

// Close is called once, by the server.
func (f *fake) Close() error {
	close(f.closed)
	return nil
}

func (f *fake) Addr() net.Addr { return &net.UnixAddr{} }

func (f *fake) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case f.lines <- theirs:
		return ours, nil
	case <-f.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mutex.Lock()
	f.asked = append(f.asked, request{path: r.URL.Path, authorization: r.Header.Get("Authorization"), at: time.Now()})
	f.mutex.Unlock()
	answers := map[string][2]http.HandlerFunc{
		"/oauth/token": {f.token, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"access_token":"`+token+`","token_type":"bearer","expires_in":3600}`)
		}},
		"/version": {f.preflight, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"supportedProtocols":["v1","`+protocol+`"]}`)
		}},
		"/events": {f.upgrade, f.serve},
	}
	answer := answers[r.URL.Path]
	if answer[0] != nil {
		answer[0](w, r)
		return
	}
	answer[1](w, r)
}

// serve is an upgrade as it should be.
func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	upgrader := websocket.Upgrader{Subprotocols: []string{protocol}}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	if f.socket != nil {
		f.socket(conn)
		return
	}
	drain(conn)
}

// drain reads, and so answers pings, until the end.
func drain(conn *websocket.Conn) {
	for {
		if _, _, err := conn.NextReader(); err != nil {
			return
		}
	}
}

// requests are those for a path, or all.
func (f *fake) requests(path string) []request {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	var some []request
	for _, one := range f.asked {
		if path == "" || one.path == path {
			some = append(some, one)
		}
	}
	return some
}

// witness is a handler that records its calls.
type witness struct {
	connected []time.Time
	failures  []*Failure
	texts     []string
	pieces    []string // of violations, behind their reason
	ends      []*End
	rotated   []Cause
	stayed    []*Failure // failed attempts at a rotation
	left      []*End
	onText    func()
	onEnd     func(*End)
	session   *Session // that is played

	mutex sync.Mutex // for Text, of two sockets at once
}

func (w *witness) Connected(at time.Time, _ time.Duration) { w.connected = append(w.connected, at) }

func (w *witness) Failed(failure *Failure, _ time.Duration) { w.failures = append(w.failures, failure) }

func (w *witness) Text(frame []byte, _ time.Time, _ int) {
	w.mutex.Lock()
	w.texts = append(w.texts, string(frame))
	w.mutex.Unlock()
	if w.onText != nil {
		w.onText()
	}
}

func (w *witness) Violation(reason string, piece []byte, _ time.Time) {
	w.pieces = append(w.pieces, reason+" "+string(piece))
}

func (w *witness) Rotated(why Cause, _ time.Time) { w.rotated = append(w.rotated, why) }

func (w *witness) NotRotated(_ Cause, failure *Failure, _ time.Duration) {
	w.stayed = append(w.stayed, failure)
}

func (w *witness) Replaced(end *End) { w.left = append(w.left, end) }

func (w *witness) Disconnected(end *End, _ time.Duration) {
	w.ends = append(w.ends, end)
	if w.onEnd != nil {
		w.onEnd(end)
	}
}

// play runs a session against a platform for a while of fake time, and ends both.
func play(t *testing.T, f *fake, to *witness, during time.Duration, change func(*Settings)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f.lines, f.closed = make(chan net.Conn), make(chan struct{})
		server := &http.Server{Handler: f, ReadHeaderTimeout: time.Hour}
		var serving sync.WaitGroup
		serving.Go(func() { _ = server.Serve(f) })

		client := &http.Client{
			Transport:     &http.Transport{DialContext: f.dial, DisableKeepAlives: true},
			Timeout:       30 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		settings := settingsFor(t, f, client)
		if change != nil {
			change(&settings)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		to.session = New(settings, to)
		running.Go(func() { to.session.Run(ctx) })
		time.Sleep(during)
		cancel()
		stopped := time.Now()
		running.Wait()
		require.LessOrEqual(t, time.Since(stopped), writeTimeout+closeTimeout, "to stop takes no longer")

		client.CloseIdleConnections()
		require.NoError(t, server.Close())
		serving.Wait()
	})
}

func settingsFor(t *testing.T, f *fake, client *http.Client) Settings {
	t.Helper()
	at := func(text string) *url.URL {
		parsed, err := url.Parse(text)
		require.NoError(t, err)
		return parsed
	}
	return Settings{
		Tokens: NewTokens(Credentials{
			ClientID: "someone", ClientSecret: "hush", TokenURL: StaticURL(at("http://platform/oauth/token")), Scopes: []string{"a:b", "c:d"},
		}, client, nil),
		Prepare: (&StaticEndpoint{
			Client: client, Preflight: at("http://platform/version"), Socket: at("ws://platform/events"), Subprotocols: []string{protocol},
		}).Prepare,
		Subprotocols: []string{protocol},
		Dialer:       &websocket.Dialer{NetDialContext: f.dial, HandshakeTimeout: 30 * time.Second},
		Heartbeat:    Heartbeat{Interval: 15 * time.Second, Timeout: 35 * time.Second},
		MaxFrameSize: 1 << 20,
		Backoff:      Backoff{Initial: time.Second, Max: time.Minute, Multiplier: 2, Jitter: 0.5},
		Rotation:     Rotation{MaxAge: 24 * time.Hour, Overlap: 30 * time.Second},
	}
}
