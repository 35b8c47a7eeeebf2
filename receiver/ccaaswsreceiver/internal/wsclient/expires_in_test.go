// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLifetime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"3600": 3600, "3599.5": 3599, `"3600"`: 3600, `" 3599.5 "`: 3599, "3.6e3": 3600, "1": 1,
		"9223372036854775807": 1<<31 - 1, "1e300": 1<<31 - 1, "-9223372036854775808": 0,
		"-1": 0, `"-1"`: 0, "0": 0, "0.5": 0, "null": 0, `"soon"`: 0, `""`: 0, `"NaN"`: 0, "true": 0, "[3600]": 0, "{}": 0,
	} {
		assert.Equal(t, want, lifetime(json.RawMessage(text)), text)
	}
	assert.JSONEq(t, `{"access_token":"a","expires_in":3599}`, string(wholeSeconds([]byte(`{"access_token":"a","expires_in":3599.5}`))))
	assert.JSONEq(t, `{"access_token":"a"}`, string(wholeSeconds([]byte(`{"access_token":"a","expires_in":-1}`))))
	for _, other := range []string{`<html>`, `{"access_token":"a"}`, `[1]`, ``} {
		assert.Equal(t, other, string(wholeSeconds([]byte(other))))
	}
}

func TestTokenLife_DecimalsAreRead(t *testing.T) {
	t.Parallel()
	for _, life := range []string{"599.5", `"599.5"`, `"600"`} {
		f := &fake{token: tokenFor(life)}
		to := &witness{}
		play(t, f, to, 9*time.Minute+59*time.Second, nil)
		assert.Len(t, f.requests("/oauth/token"), 2, life)
		assert.Equal(t, []Cause{TokenExpiry}, to.rotated, life)
	}
}

func TestTokenLife_UnknownIsUsedUntilRefused(t *testing.T) {
	t.Parallel()
	for _, life := range []string{"-1", "0", "null", `"-1"`, `"soon"`, "-9223372036854775808"} {
		f := &fake{token: tokenFor(life)}
		to := &witness{}
		play(t, f, to, 2*time.Hour, nil)
		assert.Len(t, f.requests("/oauth/token"), 1, life)
		assert.Len(t, f.requests("/events"), 1, life)
	}
	f := &fake{token: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-www-form-urlencoded")
		_, _ = fmt.Fprint(w, "access_token=a&token_type=bearer&expires_in=-1")
	}}
	play(t, f, &witness{}, 2*time.Hour, nil)
	assert.Len(t, f.requests("/oauth/token"), 1, "form")
}

// refusing is a socket that is closed 50 ms after it opened, with a code and a text.
func refusing(code int, text string) func(*websocket.Conn) {
	return func(conn *websocket.Conn) {
		time.Sleep(50 * time.Millisecond)
		_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, text), time.Now().Add(time.Second))
		drain(conn)
	}
}

func TestTokens_RefusedByCloseCode(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		code    int
		text    string
		renewed bool
	}{
		{1008, "", true},
		{3000, "", true},
		{3003, "", true},
		{4001, "", true},
		{4003, "", true},
		{4401, "Unauthorized", true},
		{4403, "", true},
		{4302, "token expired", true},
		{1000, "JWT expired", true},
		{1001, "", false},
		{1011, "internal error", false},
		{1012, "service restart", false},
		{4000, "", false},
	} {
		f := &fake{token: tokenFor("86400"), socket: refusing(test.code, test.text)}
		to := &witness{}
		play(t, f, to, 5*time.Minute, nil)
		upgrades := f.requests("/events")
		require.Greater(t, len(upgrades), 3)
		require.LessOrEqual(t, len(upgrades), 15, "the waits grow")
		for i, one := range upgrades {
			want := "Bearer token-1"
			if test.renewed {
				want = fmt.Sprintf("Bearer token-%d", i+1)
			}
			require.Equal(t, want, one.authorization, "%d %q", test.code, test.text)
		}
		assert.Equal(t, test.renewed, to.ends[0].RefusesToken())
		assert.Equal(t, ClosedByPeer, to.ends[0].Cause)
		assert.Equal(t, test.code, to.ends[0].Code)
	}
}

func TestTokens_RefusedInHandshake(t *testing.T) {
	t.Parallel()
	sockets := 0
	f := &fake{token: tokenFor("86400"), socket: func(conn *websocket.Conn) {
		_, _, _ = conn.ReadMessage()
		if sockets++; sockets == 1 {
			refusing(4401, "")(conn)
			return
		}
		_ = conn.WriteMessage(websocket.TextMessage, []byte("authorized"))
		drain(conn)
	}}
	to := &witness{}
	play(t, f, to, 10*time.Minute, func(s *Settings) {
		s.Protocol.OnOpen = []HandshakeStep{{Send: "register {{token}}", Expect: NewPattern("authorized")}}
	})
	assert.Empty(t, to.failures)
	assert.Len(t, to.connected, 1)
	assert.Len(t, f.requests("/oauth/token"), 2)
}

func TestBackoff_CloseCode1013(t *testing.T) {
	t.Parallel()
	to := &witness{}
	play(t, &fake{socket: refusing(1013, "overloaded, Retry-After: 120")}, to, 20*time.Minute, nil)
	require.Greater(t, len(to.connected), 2)
	for i, at := range to.connected[1:] {
		assert.GreaterOrEqual(t, at.Sub(to.connected[i]), 2*time.Minute)
	}
	to = &witness{}
	play(t, &fake{socket: refusing(1013, "")}, to, 20*time.Minute, func(s *Settings) { s.Backoff.Jitter = 0 })
	require.Greater(t, len(to.connected), 3)
	assert.Equal(t, 2*time.Second+50*time.Millisecond, to.connected[1].Sub(to.connected[0]))
	assert.Equal(t, 8*time.Second+50*time.Millisecond, to.connected[2].Sub(to.connected[1]))
}

func TestTokens_TemporaryOAuthErrorIsRetried(t *testing.T) {
	t.Parallel()
	to := &witness{}
	play(t, &fake{token: oauthErrorWith(400, "temporarily_unavailable")}, to, time.Minute, nil)
	require.NotEmpty(t, to.failures)
	assert.Equal(t, Unavailable, to.failures[0].Cause)
	assert.False(t, to.failures[0].Permanent)
}
