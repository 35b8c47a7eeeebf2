// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"bufio"
	"context"
	"crypto/sha1" //nolint:gosec // RFC 6455 section 4.2.2
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestContract(t *testing.T) {
	t.Parallel()
	f := &fake{socket: func(conn *websocket.Conn) {
		_ = conn.WriteMessage(websocket.TextMessage, []byte("one"))
		_ = conn.WriteMessage(websocket.TextMessage, []byte("two"))
		drain(conn)
	}}
	to := &witness{}
	play(t, f, to, 50*time.Minute, nil)
	requests := f.requests("")
	require.Len(t, requests, 3)
	assert.Equal(t, "/oauth/token", requests[0].path)
	assert.Equal(t, "Basic c29tZW9uZTpodXNo", requests[0].authorization)
	assert.Equal(t, request{path: "/version", authorization: "Bearer " + token, at: requests[1].at}, requests[1])
	assert.Equal(t, request{path: "/events", authorization: "Bearer " + token, at: requests[2].at}, requests[2])
	assert.Equal(t, []string{"one", "two"}, to.texts)
	assert.Len(t, to.connected, 1, "pings that are answered keep it alive")
	require.Len(t, to.ends, 1)
	assert.Equal(t, Shutdown, to.ends[0].Cause)
	assert.Empty(t, to.failures)
}

func TestNoTokenNoPreflightNoSubprotocol(t *testing.T) {
	t.Parallel()
	f, to := &fake{}, &witness{}
	play(t, f, to, time.Second, func(s *Settings) {
		s.Tokens, s.Subprotocols = nil, nil
		s.Prepare = (&StaticEndpoint{Socket: &url.URL{Scheme: "ws", Host: "platform", Path: "/events"}}).Prepare
	})
	require.Len(t, f.requests(""), 1)
	assert.Empty(t, f.requests("")[0].authorization)
	assert.Len(t, to.connected, 1)
}

func answer(status int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"message":"`+token+`"}`) // which must not be repeated
	}
}

// upgradeWith answers an upgrade with header lines of the test's own.
func upgradeWith(lines ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		accept := websocketAccept(r.Header.Get("Sec-Websocket-Key"))
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s\r\n",
			accept, strings.Join(append(lines, ""), "\r\n"))
		_, _ = io.Copy(io.Discard, conn)
	}
}

func websocketAccept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // RFC 6455 section 4.2.2
	return base64.StdEncoding.EncodeToString(sum[:])
}

func TestFailure_Configuration(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		platform *fake
		cause    Cause
		says     []string
	}{
		"no common protocol": {
			&fake{preflight: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `["v1.realtime-events"]`) }},
			Subprotocol,
			[]string{"no common protocol", `"v1.realtime-events"`, `"v2.realtime-events"`},
		},
		"no protocol at all": {
			&fake{preflight: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"supportedProtocols":[]}`) }},
			Subprotocol,
			[]string{"supports nothing"},
		},
		"pre-flight that is something else": {
			&fake{preflight: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `<html>login</html>`) }},
			BadAnswer,
			[]string{"preflight::path", "supportedProtocols"},
		},
		"another subprotocol": {
			&fake{upgrade: upgradeWith("Sec-WebSocket-Protocol: v3.realtime-events")},
			Subprotocol,
			[]string{`"v2.realtime-events"`, `"v3.realtime-events"`},
		},
		"no subprotocol": {
			&fake{upgrade: upgradeWith()},
			Subprotocol,
			[]string{`"v2.realtime-events"`, "no subprotocol"},
		},
		"unrequested compression": {
			&fake{upgrade: upgradeWith("Sec-WebSocket-Protocol: "+protocol,
				"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover")},
			BadAnswer,
			[]string{"permessage-deflate"},
		},
		"pre-flight 401":          {&fake{preflight: answer(401)}, Unauthorized, []string{"pre-flight GET http://platform/version: 401 Unauthorized", "oauth2"}},
		"pre-flight 403":          {&fake{preflight: answer(403)}, Unauthorized, []string{"403 Forbidden", "scopes"}},
		"pre-flight 404":          {&fake{preflight: answer(404)}, NotFound, []string{"404 Not Found", "preflight::path"}},
		"upgrade 401":             {&fake{upgrade: answer(401)}, Unauthorized, []string{"upgrade GET ws://platform/events: 401"}},
		"upgrade 403":             {&fake{upgrade: answer(403)}, Unauthorized, []string{"403"}},
		"upgrade 404":             {&fake{upgrade: answer(404)}, NotFound, []string{"404", "endpoint"}},
		"upgrade to a page":       {&fake{upgrade: answer(200)}, BadAnswer, []string{"no WebSocket endpoint"}},
		"upgrade led elsewhere":   {&fake{upgrade: answer(302, "Location", "http://elsewhere/")}, Refused, []string{"redirects"}},
		"pre-flight led away":     {&fake{preflight: answer(307, "Location", "http://elsewhere/")}, Refused, []string{"redirects"}},
		"token endpoint 401":      {&fake{token: answer(401)}, Unauthorized, []string{"token request to http://platform/oauth/token: 401"}},
		"token endpoint 400":      {&fake{token: answer(400)}, Unauthorized, []string{"400", "oauth2::client_id"}},
		"token endpoint 404":      {&fake{token: answer(404)}, NotFound, []string{"404"}},
		"client is not known":     {&fake{token: oauthError("invalid_client")}, Unauthorized, []string{"invalid_client"}},
		"an OAuth error with 200": {&fake{token: oauthErrorWith(200, "invalid_client")}, Unauthorized, []string{"invalid_client", "200 OK", "OAuth error", "oauth2::client_id"}},
		"unknown error with 200":  {&fake{token: oauthErrorWith(200, "made_up")}, Unauthorized, []string{"200 OK", "OAuth error"}},
		"secret as an error":      {&fake{token: oauthError(token)}, Unauthorized, nil},
		"secret as a subprotocol": {&fake{upgrade: upgradeWith("Sec-WebSocket-Protocol: " + strings.Repeat("x", 100) + token)}, Subprotocol, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := &witness{}
			play(t, test.platform, to, 10*time.Minute, nil)
			assert.Empty(t, to.connected)
			require.NotEmpty(t, to.failures)
			assert.GreaterOrEqual(t, len(to.failures), 10, "it goes on trying")
			assert.LessOrEqual(t, len(to.failures), 31, "slowly")
			failure := to.failures[0]
			assert.Equal(t, test.cause, failure.Cause, failure)
			assert.True(t, failure.Permanent)
			for _, says := range test.says {
				require.ErrorContains(t, failure, says)
			}
			assert.NotContains(t, failure.Error(), token)
			assert.NotContains(t, failure.Error(), "hush")
		})
	}
}

// A platform without oauth2 that refuses: at the pre-flight, the upgrade, or by its first frames.
func TestSession_RefusalWithoutOAuth2(t *testing.T) {
	t.Parallel()
	for name, platform := range map[string]*fake{
		"pre-flight": {preflight: answer(401)},
		"upgrade":    {upgrade: answer(403)},
		"close": {socket: func(conn *websocket.Conn) {
			_, _, _ = conn.ReadMessage()
			_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(4401, ""), time.Now().Add(time.Second))
			_, _, _ = conn.ReadMessage()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := &witness{}
			play(t, platform, to, time.Minute, func(s *Settings) {
				s.Tokens = nil
				s.Protocol.OnOpen = []HandshakeStep{{Send: "{}", Expect: NewPattern(`{"ok":true}`)}}
			})
			require.NotEmpty(t, to.failures)
			assert.Equal(t, Unauthorized, to.failures[0].Cause)
			require.ErrorContains(t, to.failures[0], "no token of oauth2 was sent")
			assert.NotContains(t, to.failures[0].Error(), "the token is not accepted")
		})
	}
}

func oauthError(code string) http.HandlerFunc { return oauthErrorWith(http.StatusUnauthorized, code) }

func oauthErrorWith(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"error":%q,"error_description":%q}`, code, token)
	}
}

func TestFailure_Retryable(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		platform *fake
		cause    Cause
	}{
		"token 503":          {&fake{token: answer(503)}, Unavailable},
		"pre-flight 500":     {&fake{preflight: answer(500)}, Unavailable},
		"upgrade 502":        {&fake{upgrade: answer(502)}, Unavailable},
		"token that is none": {&fake{token: answer(200)}, BadAnswer},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := &witness{}
			play(t, test.platform, to, 30*time.Minute, nil)
			require.GreaterOrEqual(t, len(to.failures), 30, "it never stops")
			assert.LessOrEqual(t, len(to.failures), 120, "and backs off")
			assert.Equal(t, test.cause, to.failures[0].Cause, to.failures[0])
			assert.False(t, to.failures[0].Permanent)
			assert.NotContains(t, to.failures[0].Error(), token)
		})
	}
}

func TestDial_HeadersWithoutEnd(t *testing.T) {
	t.Parallel()
	f := &fake{upgrade: func(w http.ResponseWriter, _ *http.Request) {
		conn, _, _ := http.NewResponseController(w).Hijack()
		defer func() { _ = conn.Close() }()
		to := bufio.NewWriter(conn)
		_, err := io.WriteString(to, "HTTP/1.1 101 Switching Protocols\r\n")
		for err == nil {
			_, err = io.WriteString(to, "X-More: and more\r\n")
		}
	}}
	to := &witness{}
	play(t, f, to, time.Second, nil)
	require.NotEmpty(t, to.failures)
	assert.Equal(t, Unreachable, to.failures[0].Cause)
}

func TestRetryAfterOfEveryStep(t *testing.T) {
	t.Parallel()
	throttled := answer(429, "Retry-After", "120")
	later := func(w http.ResponseWriter, _ *http.Request) {
		answer(503, "Retry-After", time.Now().Add(121*time.Second).UTC().Format(http.TimeFormat))(w, nil)
	}
	for name, f := range map[string]*fake{
		"/oauth/token": {token: throttled},
		"/version":     {preflight: later},
		"/events":      {upgrade: throttled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := &witness{}
			play(t, f, to, 10*time.Minute, nil)
			requests := f.requests(name)
			assert.InDelta(t, 5, len(requests), 1)
			for i, one := range requests[1:] {
				assert.GreaterOrEqual(t, one.at.Sub(requests[i].at), 2*time.Minute)
			}
		})
	}
}

func TestTokens_RefusedTokenIsRenewedOnce(t *testing.T) {
	t.Parallel()
	n := 0
	f := &fake{token: func(w http.ResponseWriter, _ *http.Request) {
		n++
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"bearer","expires_in":3600}`, n)
	}}
	revoked := "Bearer token-1"
	f.preflight = func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == revoked {
			answer(401)(w, r)
			return
		}
		_, _ = io.WriteString(w, `["`+protocol+`"]`)
	}
	to := &witness{}
	play(t, f, to, time.Second, nil)
	assert.Empty(t, to.failures, "a revoked token is renewed without a failure")
	assert.Len(t, to.connected, 1)
	assert.Len(t, f.requests("/oauth/token"), 2)
}

func TestTokens_CachedUntilRenewal(t *testing.T) {
	t.Parallel()
	f := &fake{socket: func(*websocket.Conn) {}} // ends at once
	to := &witness{}
	play(t, f, to, 3*time.Hour, nil)
	assert.Greater(t, len(to.connected), 150)
	tokens := f.requests("/oauth/token")
	assert.Len(t, tokens, 4, "tokens live for an hour")
	assert.Less(t, tokens[1].at.Sub(tokens[0].at), time.Hour+time.Minute, "renewed at the first attempt that is less than a minute before the expiry, or later")
}

func TestSilence(t *testing.T) {
	t.Parallel()
	f := &fake{socket: func(conn *websocket.Conn) {
		_ = conn.WriteMessage(websocket.TextMessage, []byte("last words"))
		conn.SetPingHandler(func(string) error { return nil })
		drain(conn)
	}}
	to := &witness{}
	play(t, f, to, 36*time.Second, nil)
	require.NotEmpty(t, to.ends)
	end := to.ends[0]
	assert.Equal(t, Silence, end.Cause)
	assert.Equal(t, to.connected[0], end.LastActivity)
	assert.Equal(t, 35*time.Second, end.At.Sub(end.LastActivity))
}

func TestSession_OwnBlockIsNotSilence(t *testing.T) {
	t.Parallel()
	f := &fake{socket: func(conn *websocket.Conn) {
		_ = conn.WriteMessage(websocket.TextMessage, []byte("one"))
		_ = conn.WriteMessage(websocket.TextMessage, []byte("two"))
		drain(conn)
	}}
	to := &witness{onText: func() { time.Sleep(10 * time.Minute) }}
	play(t, f, to, 20*time.Minute+30*time.Second, nil)
	assert.Equal(t, []string{"one", "two"}, to.texts)
	assert.Len(t, to.connected, 1)
}

func TestSession_CausesOfEnd(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		socket func(*websocket.Conn)
		cause  Cause
		code   int
	}{
		"reset":          {func(conn *websocket.Conn) { _ = conn.NetConn().Close() }, Reset, 0},
		"maintenance":    {closing(1001), ClosedByPeer, 1001},
		"a private code": {closing(4242), ClosedByPeer, 4242},
		"no code":        {closing(websocket.CloseNoStatusReceived), ClosedByPeer, 0},
		"in mid-frame":   {func(conn *websocket.Conn) { _, _ = conn.NetConn().Write([]byte{0x81, 100, '{'}) }, Reset, 0},
		"bad opcode":     {func(conn *websocket.Conn) { _, _ = conn.NetConn().Write([]byte{0x83, 0}); drain(conn) }, ProtocolError, 0},
		"masked":         {func(conn *websocket.Conn) { _, _ = conn.NetConn().Write([]byte{0x81, 0x80, 1, 2, 3, 4}); drain(conn) }, ProtocolError, 0},
		"compressed":     {func(conn *websocket.Conn) { _, _ = conn.NetConn().Write([]byte{0xc1, 0}); drain(conn) }, ProtocolError, 0},
		"a frame without end": {func(conn *websocket.Conn) {
			to, err := conn.NextWriter(websocket.TextMessage)
			for err == nil {
				_, err = to.Write(make([]byte, 1<<10))
			}
		}, FrameTooLarge, 0},
		"fragments of nothing without end": {func(conn *websocket.Conn) {
			_, err := conn.NetConn().Write([]byte{0x01, 1, '{'})
			for err == nil {
				_, err = conn.NetConn().Write(make([]byte, 1<<10))
			}
		}, FrameTooLarge, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := &witness{}
			play(t, &fake{socket: test.socket}, to, time.Minute, func(s *Settings) { s.MaxFrameSize = 4 << 10 })
			require.NotEmpty(t, to.ends)
			assert.Equal(t, test.cause, to.ends[0].Cause, to.ends[0].Err)
			assert.Equal(t, test.code, to.ends[0].Code)
			assert.Greater(t, len(to.connected), 1, "it connects again")
			if test.cause == ProtocolError {
				assert.Contains(t, to.pieces[0], "protocol_order websocket: ")
			}
		})
	}
}

func closing(code int) func(*websocket.Conn) {
	return func(conn *websocket.Conn) {
		_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, "so it is"), time.Now().Add(time.Second))
		drain(conn)
	}
}

func TestFrames(t *testing.T) {
	t.Parallel()
	const limit = 100 << 10
	f := &fake{socket: func(conn *websocket.Conn) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			drain(conn)
		}()
		send := func(kind int, frame string) { _ = conn.WriteMessage(kind, []byte(frame)) }
		send(websocket.TextMessage, "small")
		send(websocket.TextMessage, "")
		send(websocket.BinaryMessage, "\x00\x01")
		send(websocket.TextMessage, strings.Repeat("a", limit))
		send(websocket.TextMessage, strings.Repeat("b", limit+1))
		send(websocket.TextMessage, strings.Repeat("c", 16*limit))
		fragmented, _ := conn.NextWriter(websocket.TextMessage)
		for range 3 {
			_, _ = io.WriteString(fragmented, strings.Repeat("d", 5000))
			_ = conn.WriteControl(websocket.PingMessage, []byte("still there?"), time.Now().Add(time.Second))
		}
		_ = fragmented.Close()
		<-done
	}}
	to := &witness{}
	play(t, f, to, time.Minute, func(s *Settings) { s.MaxFrameSize = limit })
	assert.Equal(t, []string{"5 small", "102400 aaaaa", "15000 ddddd"}, gist(to.texts))
	assert.Equal(t, []string{"15 binary_frame \x00\x01", "8208 frame_too_large bbbbb", "8208 frame_too_large ccccc"}, gist(to.pieces))
	assert.Len(t, to.connected, 1)
}

// gist is the length of a text, and how it begins.
func gist(texts []string) []string {
	var all []string
	for _, text := range texts {
		_, frame, found := strings.Cut(text, " ")
		if !found {
			frame = text
		}
		begin := text[:len(text)-len(frame)] + frame[:min(5, len(frame))]
		all = append(all, fmt.Sprintf("%d %s", len(text), begin))
	}
	return all
}

func TestSession_StopInEveryState(t *testing.T) {
	t.Parallel()
	hang := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}
	hangHijacked := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, _ := http.NewResponseController(w).Hijack()
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}
	for name, f := range map[string]*fake{
		"token":          {token: hang},
		"pre-flight":     {preflight: hang},
		"upgrade":        {upgrade: hangHijacked},
		"backing off":    {upgrade: answer(503, "Retry-After", "600")},
		"no close frame": {socket: func(conn *websocket.Conn) { _, _ = io.Copy(io.Discard, conn.NetConn()) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			play(t, f, &witness{}, 10*time.Second, nil) // which looks at how long stopping takes
		})
	}
}

func TestSession_CloseFrame(t *testing.T) {
	t.Parallel()
	var readErr error
	f := &fake{socket: func(conn *websocket.Conn) {
		conn.SetCloseHandler(func(code int, _ string) error { // what was on its way is still sent
			_ = conn.WriteMessage(websocket.TextMessage, []byte("one more"))
			return conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(time.Second))
		})
		_, _, readErr = conn.NextReader()
	}}
	to := &witness{}
	play(t, f, to, 10*time.Second, nil)
	assert.True(t, websocket.IsCloseError(readErr, websocket.CloseNormalClosure), readErr)
	assert.Equal(t, []string{"one more"}, to.texts)
	require.Len(t, to.ends, 1)
	assert.Equal(t, Shutdown, to.ends[0].Cause)
}

func TestSession_StoppedBeforeRun(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	New(Settings{}, &witness{}).Run(ctx)
}
