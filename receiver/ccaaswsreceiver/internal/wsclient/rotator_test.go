// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ticking is a socket that sends the time each second, until the client closes it.
func ticking(sockets *atomic.Int64, closed chan<- error) func(*websocket.Conn) {
	return func(conn *websocket.Conn) {
		number := sockets.Add(1)
		left := make(chan error, 1)
		go func() {
			_, _, err := conn.NextReader()
			left <- err
		}()
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case err := <-left:
				if closed != nil {
					closed <- err
				}
				return
			case now := <-ticker.C:
				if conn.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, "%d %d", number, now.Unix())) != nil {
					return
				}
			}
		}
	}
}

// unbroken reports whether texts have every second from their first to their last.
func unbroken(t *testing.T, texts []string) {
	t.Helper()
	seconds, first, last := map[int64]bool{}, int64(1)<<62, int64(0)
	for _, text := range texts {
		var socket, second int64
		_, err := fmt.Sscan(text, &socket, &second)
		require.NoError(t, err)
		seconds[second] = true
		first, last = min(first, second), max(last, second)
	}
	assert.Len(t, seconds, int(last-first+1))
}

func tokenFor(life string) http.HandlerFunc {
	issued := 0
	return func(w http.ResponseWriter, _ *http.Request) {
		issued++
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"bearer","expires_in":%s}`, issued, life)
	}
}

func TestRotator_BeforeTokenExpires(t *testing.T) {
	t.Parallel()
	var sockets atomic.Int64
	closed := make(chan error, 100)
	f := &fake{token: tokenFor("600"), socket: ticking(&sockets, closed)}
	to := &witness{}
	play(t, f, to, time.Hour, nil)
	assert.InDelta(t, 6, len(to.rotated), 1)
	for _, why := range to.rotated {
		assert.Equal(t, TokenExpiry, why)
	}
	assert.Len(t, to.connected, 1, "no break")
	assert.Len(t, to.ends, 1)
	unbroken(t, to.texts)
	upgrades := f.requests("/events")
	for i, one := range upgrades {
		assert.Equal(t, fmt.Sprintf("Bearer token-%d", i+1), one.authorization, "each with a token of its own")
		if i > 0 {
			assert.Less(t, one.at.Sub(upgrades[i-1].at), 10*time.Minute)
		}
	}
	for range to.left {
		assert.True(t, websocket.IsCloseError(<-closed, websocket.CloseNormalClosure))
	}
}

func TestRotator_MaxAge(t *testing.T) {
	t.Parallel()
	var sockets atomic.Int64
	to := &witness{}
	play(t, &fake{token: tokenFor("604800"), socket: ticking(&sockets, nil)}, to, 49*time.Hour, nil)
	assert.Equal(t, []Cause{MaxAge, MaxAge}, to.rotated)
	assert.Len(t, to.connected, 1)
	unbroken(t, to.texts)
}

func TestRotator_Maintenance(t *testing.T) {
	t.Parallel()
	var sockets atomic.Int64
	f := &fake{socket: func(conn *websocket.Conn) {
		if sockets.Load() == 0 {
			_ = conn.WriteMessage(websocket.TextMessage, []byte(`{"topicName":"v2.system.socket_closing","eventBody":{}}`))
			time.AfterFunc(time.Minute, func() { _ = conn.NetConn().Close() })
		}
		ticking(&sockets, nil)(conn)
	}}
	to := &witness{}
	play(t, f, to, 10*time.Minute, func(s *Settings) {
		s.Protocol.Controls = []ControlFrame{{Match: NewPattern(`{"topicName":"v2.system.socket_closing"}`), Action: Rotate}}
	})
	assert.Equal(t, []Cause{Maintenance}, to.rotated)
	assert.Len(t, to.connected, 1)
	require.Len(t, to.left, 1)
	assert.InDelta(t, 30, to.left[0].At.Sub(to.connected[0]).Seconds(), 2, "after the overlap")
	unbroken(t, to.texts)
}

func TestRotator_FailedRotationIsRetried(t *testing.T) {
	t.Parallel()
	var sockets atomic.Int64
	refuse := 0
	f := &fake{token: tokenFor("600"), socket: ticking(&sockets, nil)}
	f.preflight = func(w http.ResponseWriter, r *http.Request) {
		if sockets.Load() == 1 && refuse < 3 {
			refuse++
			answer(503)(w, r)
			return
		}
		_, _ = io.WriteString(w, `["`+protocol+`"]`)
	}
	to := &witness{}
	play(t, f, to, 15*time.Minute, nil)
	assert.Len(t, to.stayed, 3)
	assert.Len(t, to.rotated, 1)
	assert.Len(t, to.connected, 1)
	assert.Empty(t, to.failures)
	unbroken(t, to.texts)
}

func TestRotator_OldSocketEndsDuringDial(t *testing.T) {
	t.Parallel()
	var sockets atomic.Int64
	f := &fake{token: tokenFor("600"), socket: func(conn *websocket.Conn) {
		if sockets.Load() == 0 {
			time.AfterFunc(9*time.Minute+16*time.Second, func() { _ = conn.NetConn().Close() })
		}
		ticking(&sockets, nil)(conn)
	}}
	f.preflight = func(w http.ResponseWriter, _ *http.Request) {
		if sockets.Load() == 1 {
			time.Sleep(29 * time.Second) // over the death of the old one
		}
		_, _ = io.WriteString(w, `["`+protocol+`"]`)
	}
	to := &witness{}
	play(t, f, to, 15*time.Minute, nil)
	require.Len(t, to.ends, 2, "a break is a break")
	assert.Equal(t, Reset, to.ends[0].Cause)
	assert.Len(t, to.connected, 2)
	assert.Less(t, to.connected[1].Sub(to.ends[0].At), 30*time.Second)
}

func TestRotator_NewSocketEndsFirst(t *testing.T) {
	t.Parallel()
	var sockets atomic.Int64
	f := &fake{token: tokenFor("600"), socket: func(conn *websocket.Conn) {
		if sockets.Load() == 1 {
			sockets.Add(1)
			time.Sleep(5 * time.Second)
			_ = conn.NetConn().Close()
			return
		}
		ticking(&sockets, nil)(conn)
	}}
	to := &witness{}
	play(t, f, to, 12*time.Minute, nil)
	assert.Len(t, to.connected, 1, "no break")
	assert.Len(t, to.rotated, 2)
	require.Len(t, to.left, 2)
	assert.Equal(t, Reset, to.left[0].Cause)
	assert.Equal(t, Shutdown, to.left[1].Cause)
	unbroken(t, to.texts)
}

func TestSession_GoneRenewsTokenAndRoute(t *testing.T) {
	t.Parallel()
	sockets := 0
	f := &fake{token: tokenFor("3600"), socket: func(conn *websocket.Conn) {
		if sockets++; sockets == 1 {
			time.Sleep(10 * time.Second)
			_ = conn.WriteMessage(websocket.TextMessage, []byte(`{"result":"404","message":"gone"}`))
		}
		drain(conn)
	}}
	to := &witness{}
	var fresh []bool
	play(t, f, to, 10*time.Minute, func(s *Settings) {
		s.Protocol.Controls = []ControlFrame{{Match: NewPattern(`{"result":"404"}`), Action: Renew}}
		prepare := s.Prepare
		s.Prepare = func(ctx context.Context, access Access, again bool) (*Route, *Failure) {
			fresh = append(fresh, again)
			return prepare(ctx, access, again)
		}
	})
	require.Len(t, to.ends, 2)
	assert.Equal(t, Gone, to.ends[0].Cause)
	assert.Equal(t, []bool{false, true}, fresh)
	assert.Len(t, f.requests("/oauth/token"), 2)
	assert.Empty(t, to.texts)
}

func TestSession_ThrottleWaits(t *testing.T) {
	t.Parallel()
	f := &fake{socket: func(conn *websocket.Conn) {
		_ = conn.WriteMessage(websocket.TextMessage, []byte(`"RATE_LIMIT_EXCEEDED"`))
		drain(conn)
	}}
	to := &witness{}
	play(t, f, to, 5*time.Minute, func(s *Settings) {
		s.Protocol.Controls = []ControlFrame{{Match: NewPattern("RATE_LIMIT_EXCEEDED"), Action: Throttle}}
	})
	require.Greater(t, len(to.connected), 2)
	for i, at := range to.connected[1:] {
		assert.GreaterOrEqual(t, at.Sub(to.connected[i]), throttleWait)
	}
	assert.Equal(t, Throttled, to.ends[0].Cause)
}

// registering is a socket that answers the first frame with another and the right one.
func registering(t *testing.T, answers ...string) func(*websocket.Conn) {
	t.Helper()
	return func(conn *websocket.Conn) {
		_, text, err := conn.ReadMessage()
		if err != nil {
			return
		}
		assert.JSONEq(t, `{"action":"register","payload":{"token":"`+token+`"}}`, string(text))
		for _, one := range answers {
			_ = conn.WriteMessage(websocket.TextMessage, []byte(one))
		}
		drain(conn)
	}
}

func register(s *Settings) {
	s.Protocol.OnOpen = []HandshakeStep{{Send: `{"action":"register","payload":{"token":"{{token}}"}}`, Expect: NewPattern("authorized")}}
}

func TestOnOpen(t *testing.T) {
	t.Parallel()
	to := &witness{}
	play(t, &fake{socket: registering(t, `{"early":1}`, ` "authorized" `, "\n", `{"late":1}`)}, to, time.Minute, register)
	assert.Len(t, to.connected, 1)
	assert.Equal(t, []string{`{"early":1}`, `{"late":1}`}, to.texts)

	to = &witness{}
	play(t, &fake{socket: registering(t, `{"no":1}`)}, to, time.Minute, register)
	assert.Empty(t, to.connected)
	require.NotEmpty(t, to.failures)
	assert.Equal(t, Handshake, to.failures[0].Cause)
	require.ErrorContains(t, to.failures[0], "on-open frame 1: the platform has not answered")
	assert.NotContains(t, to.failures[0].Error(), token)
}

func TestKeepAlive(t *testing.T) {
	t.Parallel()
	asked, answering := 0, 8
	f := &fake{socket: func(conn *websocket.Conn) {
		for {
			_, text, err := conn.ReadMessage()
			if err != nil {
				return
			}
			if asked++; asked <= answering && string(text) == `{"action":"heartbeat"}` {
				_ = conn.WriteMessage(websocket.TextMessage, []byte("pong"))
			}
		}
	}}
	to := &witness{}
	play(t, f, to, 8*30*time.Second+6*30*time.Second+time.Second/2, func(s *Settings) {
		s.Protocol.KeepAlive = KeepAlive{Send: `{"action":"heartbeat"}`, Expect: NewPattern("pong"), Interval: 30 * time.Second, Unanswered: 5}
	})
	require.NotEmpty(t, to.ends)
	assert.Equal(t, Silence, to.ends[0].Cause)
	assert.Equal(t, 14*30*time.Second, to.ends[0].At.Sub(to.connected[0]), "five are not answered, the sixth is not sent")
	assert.Empty(t, to.texts)
}

func TestSession_PongsAreNotFrames(t *testing.T) {
	t.Parallel()
	to := &witness{}
	f := &fake{socket: func(conn *websocket.Conn) {
		ended := make(chan struct{})
		var talking sync.WaitGroup
		talking.Go(func() {
			for range 3 {
				select {
				case <-ended:
				case <-time.After(30 * time.Second):
					_ = conn.WriteMessage(websocket.TextMessage, []byte(" "))
				}
			}
		})
		drain(conn) // which answers pings
		close(ended)
		talking.Wait()
	}}
	play(t, f, to, 2*time.Minute+6*time.Second, func(s *Settings) { s.Protocol.IdleTimeout = 35 * time.Second })
	require.NotEmpty(t, to.ends)
	assert.Equal(t, Silence, to.ends[0].Cause)
	assert.Equal(t, 125*time.Second, to.ends[0].At.Sub(to.connected[0]))
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern, frame string
		matches        bool
	}{
		{"pong", "pong", true},
		{"pong", `"pong"`, true},
		{"pong", ` "pong"` + "\n", true},
		{`"pong"`, "pong", true},
		{"pong", "ping", false},
		{"pong", `{"pong":1}`, false},
		{`{"a":{"b":1}}`, `{"a":{"b":1,"c":2},"d":3}`, true},
		{`{"a":{"b":1}}`, `{"a":{"b":2}}`, false},
		{`{"a":{"b":1}}`, `{"a":"{\"b\":1}"}`, true},
		{`{"a":{"b":1}}`, `{"a":"b"}`, false},
		{`{"result":"404"}`, `{"result":"404","message":"x"}`, true},
		{`{"result":"404"}`, `{"result":"200"}`, false},
		{`{"result":"404"}`, `["result","404"]`, false},
		{`{"topic":"aws/heartbeat"}`, `{"topic":"aws\/heartbeat"}`, false}, // is not how anybody writes it
		{"pong", strings.Repeat(" ", largestControl) + "pong", false},
	} {
		assert.Equal(t, test.matches, NewPattern(test.pattern).Matches([]byte(test.frame)), "%s %s", test.pattern, test.frame)
	}
	assert.False(t, (*Pattern)(nil).Matches([]byte("pong")))
}

// covers is what Matches has to find, the long way: it searches for nothing and parses every frame.
func covers(pattern string, frame []byte) bool {
	if len(frame) > largestControl {
		return false
	}
	var wanted map[string]any
	if json.Unmarshal([]byte(pattern), &wanted) == nil && wanted != nil {
		var object map[string]any
		return json.Unmarshal(frame, &object) == nil && object != nil && subset(wanted, object)
	}
	text := func(of []byte) string {
		of = bytes.TrimSpace(of)
		var quoted any
		if json.Unmarshal(of, &quoted) == nil {
			if bare, is := quoted.(string); is {
				return bare
			}
		}
		return string(of)
	}
	trimmed := string(bytes.TrimSpace(frame))
	return trimmed == text([]byte(pattern)) || text(frame) == text([]byte(pattern))
}

func subset(wanted, of map[string]any) bool {
	for key, one := range wanted {
		member, has := of[key]
		nested, isObject := one.(map[string]any)
		if !isObject {
			if !has || !reflect.DeepEqual(member, one) {
				return false
			}
			continue
		}
		if encoded, is := member.(string); is {
			var inside map[string]any
			if json.Unmarshal([]byte(encoded), &inside) != nil || inside == nil {
				return false
			}
			member = inside
		}
		if inside, is := member.(map[string]any); !is || !subset(nested, inside) {
			return false
		}
	}
	return true
}

func FuzzPattern(f *testing.F) {
	f.Add("pong", []byte("pong"))
	f.Add(`"pong"`, []byte(` "pong" `))
	f.Add("", []byte(`" "`))
	f.Add(`{}`, []byte("null"))
	f.Add(`{"a":{}}`, []byte(`{"a":"null"}`))
	f.Add(`{"a":{"b":[1]}}`, []byte(`{"a":"{\"b\":[1]}"}`))
	f.Add(`{"a\u0062":null}`, []byte(`{"ab":null,"c":1}`))
	f.Fuzz(func(t *testing.T, pattern string, frame []byte) {
		got, want := NewPattern(pattern).Matches(frame), covers(pattern, frame)
		if got && !want {
			t.Fatalf("%q matches %q", pattern, frame)
		}
		// Words that the frame escapes although nobody does are not found; see TestPattern.
		if want && !got && !bytes.ContainsRune(frame, '\\') {
			t.Fatalf("%q does not match %q", pattern, frame)
		}
	})
}

func TestScopes(t *testing.T) {
	t.Parallel()
	granted := func(scope string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"access_token":%q,"token_type":"bearer","expires_in":600,"scope":%q}`, token, scope)
		}
	}
	var scopes [][]string
	note := func(strict bool) func(*Settings) {
		return func(s *Settings) {
			s.Tokens.issued = func(g Grant) { scopes = append(scopes, g.ExcessScopes) }
			s.Tokens.credentials.Strict, s.Tokens.credentials.Accepted = strict, []string{"openid", "offline_access"}
		}
	}
	to := &witness{}
	play(t, &fake{token: granted("a:b c:d openid offline_access")}, to, 15*time.Minute, note(true))
	assert.Len(t, to.connected, 1, "accepted without a request")
	assert.Equal(t, [][]string{nil, nil}, scopes)

	to, scopes = &witness{}, nil
	play(t, &fake{token: granted("c:d admin:all a:b admin:all")}, to, 15*time.Minute, note(false))
	assert.Len(t, to.connected, 1)
	assert.Equal(t, [][]string{{"admin:all"}, nil}, scopes, "reported once")

	to = &witness{}
	play(t, &fake{token: granted("a:b admin:all")}, to, 15*time.Minute, note(true))
	assert.Empty(t, to.connected)
	require.NotEmpty(t, to.failures)
	assert.Equal(t, OverScoped, to.failures[0].Cause)
	assert.True(t, to.failures[0].Permanent)
	require.ErrorContains(t, to.failures[0], `"admin:all"`)

	to = &witness{}
	play(t, &fake{token: granted("a:b")}, to, time.Minute, note(true))
	assert.Len(t, to.connected, 1, "less is not more")
}

func TestLimits_DialsPerMinute(t *testing.T) {
	t.Parallel()
	f := &fake{socket: func(*websocket.Conn) {}} // ends at once
	to := &witness{}
	play(t, f, to, 10*time.Minute, func(s *Settings) {
		s.Backoff = Backoff{Initial: time.Millisecond, Max: time.Millisecond, Multiplier: 1}
		s.Dials = PerMinute(30)
	})
	assert.Greater(t, len(to.connected), 200)
	for i, at := range to.connected[30:] {
		assert.GreaterOrEqual(t, at.Sub(to.connected[i]), time.Minute-time.Second)
	}
}

func TestDiscoveredEndpoint(t *testing.T) {
	t.Parallel()
	var sockets atomic.Int64
	f := &fake{socket: ticking(&sockets, nil)}
	body := ""
	f.preflight = func(w http.ResponseWriter, r *http.Request) {
		sent, _ := io.ReadAll(r.Body)
		body = r.Method + " " + r.Header.Get("X-Bearer") + " " + string(sent)
		_, _ = fmt.Fprintf(w, `{"Websocket":[{"Url":"ws://platform/events?secret=1","Expiry":%q}]}`, time.Now().Add(time.Hour).Format(time.RFC3339Nano))
	}
	to := &witness{}
	prepare := &DiscoveredEndpoint{
		URL: &url.URL{Scheme: "http", Host: "platform", Path: "/version"}, Method: http.MethodPost, Headers: map[string]string{"X-Bearer": "{{token}}"}, Body: `{"Type":["WEBSOCKET"]}`,
		Path: "Websocket[0].Url", Expires: "Websocket[0].Expiry",
	}
	play(t, f, to, 3*time.Hour, func(s *Settings) {
		prepare.Client = s.Tokens.client
		s.Prepare = prepare.Prepare
	})
	assert.Equal(t, `POST `+token+` {"Type":["WEBSOCKET"]}`, body)
	assert.Len(t, to.connected, 1)
	assert.NotEmpty(t, to.rotated)
	unbroken(t, to.texts)
}

// All frames of a replaced socket are read, also when reading was blocked.
func TestRotator_DrainsOldSocket(t *testing.T) {
	t.Parallel()
	var sockets atomic.Int64
	var blocked atomic.Bool
	to := &witness{}
	to.onText = func() {
		if sockets.Load() == 2 && blocked.CompareAndSwap(false, true) {
			time.Sleep(20 * time.Second)
		}
	}
	f := &fake{token: tokenFor("600"), socket: ticking(&sockets, nil)}
	play(t, f, to, 12*time.Minute, func(s *Settings) { s.Rotation.Overlap = time.Second })
	require.Len(t, to.left, 1)
	assert.True(t, to.left[0].Graceful(), to.left[0].Err)
	unbroken(t, to.texts)
}

// A socket that is reset after our close frame may have had more events.
func TestRotator_OldSocketReset(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		last    []byte
		orderly bool
	}{
		"between two frames":       {nil, true},
		"in the middle of a frame": {[]byte{0x81, 5, 'h', 'e'}, false},
	} {
		var sockets atomic.Int64
		f := &fake{token: tokenFor("600"), socket: func(conn *websocket.Conn) {
			if sockets.Add(1) == 1 {
				conn.SetCloseHandler(func(int, string) error {
					_ = conn.NetConn().SetWriteDeadline(time.Time{}) // that of the last pong is over
					_, err := conn.NetConn().Write(test.last)
					return errors.Join(err, conn.NetConn().Close())
				})
			}
			drain(conn)
		}}
		to := &witness{}
		play(t, f, to, 12*time.Minute, nil)
		require.Len(t, to.left, 1)
		assert.Equal(t, test.orderly, to.left[0].Graceful(), "%s: %v", name, to.left[0].Err)
	}
}

// What another clock calls over does not make us move again and again.
func TestRotator_ExpiryInThePast(t *testing.T) {
	t.Parallel()
	to := &witness{}
	play(t, &fake{socket: drain}, to, 30*time.Minute, func(s *Settings) {
		prepare := s.Prepare
		s.Prepare = func(ctx context.Context, access Access, fresh bool) (*Route, *Failure) {
			route, failure := prepare(ctx, access, fresh)
			if failure == nil {
				route.Expires = time.Now().Add(-time.Minute)
			}
			return route, failure
		}
	})
	assert.Empty(t, to.rotated)
	assert.Len(t, to.connected, 1)
}

func TestRotator_ContinuousRotationRequestsAreLimited(t *testing.T) {
	t.Parallel()
	f := &fake{socket: func(conn *websocket.Conn) {
		_ = conn.WriteMessage(websocket.TextMessage, []byte("move"))
		drain(conn)
	}}
	to := &witness{}
	play(t, f, to, 10*time.Minute, func(s *Settings) {
		s.Protocol.Controls = []ControlFrame{{Match: NewPattern("move"), Action: Rotate}}
	})
	assert.LessOrEqual(t, len(f.requests("/events")), 601)
	assert.LessOrEqual(t, len(to.rotated)-len(to.left), 1, "never more than two sockets")
	assert.Len(t, to.connected, 1)
}
