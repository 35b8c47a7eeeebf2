// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaassim

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/config"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
)

func TestMalformedFramesAreCountedByKind(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) {
		c.FullSpeed, c.Events, c.Frame, c.FrameEvents = true, 3000, traffic.FrameLines, 20
		c.Trouble.Malformed, c.Trouble.MalformedKinds = 0.1, []string{"unknown_type", "truncated", "binary_frame"}
	})
	conn := newClient(t, server).dial(t)
	counts := map[string]int64{"unknown_type": 0, "truncated": 0, "binary_frame": 0}
	events, frames := 0, int64(0)
	for {
		select {
		case <-server.Done():
			if frames == server.Truth().Frames {
				assert.Equal(t, counts, server.Truth().Violations)
				assert.Equal(t, 3000, events)
				return
			}
		default:
		}
		kind, frame, err := conn.ReadMessage()
		require.NoError(t, err)
		frames++
		if kind == websocket.BinaryMessage {
			counts["binary_frame"]++
			continue
		}
		if !json.Valid(frame) && frame[len(frame)-1] != '}' {
			counts["truncated"]++
			continue
		}
		for _, e := range parseFrame(t, frame) {
			if e.Type == "connection.teleport" {
				counts["unknown_type"]++
			} else {
				events++
			}
		}
	}
}

func TestDuplicatesAreNotCountedAsEvents(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) {
		c.FullSpeed, c.Events, c.Trouble.Duplicates = true, 2000, 0.1
	})
	conn := newClient(t, server).dial(t)
	distinct := map[string]wireEvent{}
	var events []wireEvent
	for len(distinct) < 2000 {
		e := receive(t, conn, 1)[0]
		if first, again := distinct[e.ID]; again {
			require.Equal(t, first, e)
		} else {
			distinct[e.ID] = e
			events = append(events, e)
		}
	}
	<-server.Done()
	truth := server.Truth()
	assert.Equal(t, int64(2000), truth.Events)
	assert.Equal(t, countsOfEvents(events), countsOf(truth))
	assert.InEpsilon(t, 200, truth.Duplicates, 0.3)
}

func TestSocketsShareTheEventsOrAllGetThem(t *testing.T) {
	t.Parallel()
	for name, broadcast := range map[string]bool{"share": false, "broadcast": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const count = 1000
			server := start(t, func(c *config.Config) { c.Rate, c.Events, c.Broadcast = 2000, count, broadcast })
			// Nothing is sent before both are there.
			require.NoError(t, server.Trouble(func(t *fault.Trouble) { t.Silence = true }))
			c := newClient(t, server)
			first, second := c.dial(t), c.dial(t)
			require.NoError(t, server.WaitAccepted(t.Context(), 2))
			require.NoError(t, server.Trouble(func(t *fault.Trouble) { t.Silence = false }))
			<-server.Done()
			server.CloseSockets(1000, "")

			ids := map[string]int{}
			for _, conn := range []*websocket.Conn{first, second} {
				for _, e := range untilClose(t, conn, 1000) {
					ids[e.ID]++
				}
			}
			assert.Len(t, ids, count)
			for _, times := range ids {
				require.Equal(t, map[bool]int{false: 1, true: 2}[broadcast], times)
			}
			assert.Equal(t, int64(count), server.Truth().Events)
		})
	}
}

// untilClose reads events up to a close frame with a code.
func untilClose(t *testing.T, conn *websocket.Conn, code int) []wireEvent {
	t.Helper()
	var events []wireEvent
	for {
		_, frame, err := conn.ReadMessage()
		if err != nil {
			require.True(t, websocket.IsCloseError(err, code), err)
			return events
		}
		events = append(events, parseFrame(t, frame)...)
	}
}

func TestSilenceKeepsTheSocketAndAnswersNoPing(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) { c.Silent = true })
	conn := newClient(t, server).dial(t)
	pongs := make(chan string, 10)
	conn.SetPongHandler(func(data string) error {
		pongs <- data
		return nil
	})
	ping := func(data string) {
		require.NoError(t, conn.WriteControl(websocket.PingMessage, []byte(data), time.Now().Add(time.Second)))
	}
	read := make(chan error, 1)
	go func() {
		_, _, err := conn.ReadMessage()
		read <- err
	}()

	ping("one")
	assert.Equal(t, "one", <-pongs)
	require.NoError(t, server.Trouble(func(t *fault.Trouble) { t.Silence = true }))
	ping("two")
	// The server reads in order: once it has read "three", "two" went unanswered.
	time.Sleep(50 * time.Millisecond)
	require.NoError(t, server.Trouble(func(t *fault.Trouble) { t.Silence = false }))
	ping("three")
	assert.Equal(t, "three", <-pongs)
	require.NoError(t, server.Send([]byte("bye")))
	assert.NoError(t, <-read)
}

func TestSilenceHoldsEventsBack(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) {
		c.Rate, c.Events = 2000, 1000
		c.Trouble.SilenceAfter, c.Trouble.SilenceFor = 100*time.Millisecond, 300*time.Millisecond
	})
	conn := newClient(t, server).dial(t)
	longest, last := time.Duration(0), time.Now()
	for range 1000 {
		_, _, err := conn.ReadMessage()
		require.NoError(t, err)
		longest, last = max(longest, time.Since(last)), time.Now()
	}
	assert.Greater(t, longest, 250*time.Millisecond)
	<-server.Done()
	truth := server.Truth()
	assert.Equal(t, int64(1000), truth.Events)
	assert.Zero(t, truth.Missed.Events)
}

func TestAResetHasNoCloseFrame(t *testing.T) {
	t.Parallel()
	for name, withTLS := range map[string]bool{"plain": false, "tls": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t, func(c *config.Config) { c.Silent, c.TLS = true, withTLS })
			c := newClient(t, server)
			conn := c.dial(t)
			require.NoError(t, server.WaitConnected(t.Context()))
			server.Reset()
			_, _, err := conn.ReadMessage()
			require.ErrorIs(t, err, syscall.ECONNRESET)
			settled(t, server, truth.SocketTruth{Accepted: 1, Resets: 1})
		})
	}
}

// settled waits for the truth about sockets to become what it should.
func settled(t *testing.T, server *Server, want truth.SocketTruth) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err := server.host.Hub.Wait(ctx, func() bool { return server.Truth().Sockets == want })
	require.NoError(t, err, "want %+v, have %+v", want, server.Truth().Sockets)
}

func TestSocketsEndByThemselves(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) {
		c.Silent, c.TokenTTL, c.Trouble.CloseReason = true, 2*time.Second, "time to move"
	})
	c := newClient(t, server)
	for _, test := range []struct {
		change func(*fault.Trouble)
		code   int
		text   string
		want   truth.SocketTruth
	}{
		{func(t *fault.Trouble) { t.CloseEvery = 20 * time.Millisecond }, 1001, "time to move", truth.SocketTruth{Accepted: 1, Closed: 1}},
		{func(t *fault.Trouble) { t.CloseCode = 4000 }, 4000, "time to move", truth.SocketTruth{Accepted: 2, Closed: 2}},
		{func(t *fault.Trouble) { t.CloseEvery, t.CloseExpired = 0, true }, 1008, "token expired", truth.SocketTruth{Accepted: 3, Closed: 3}},
		{func(t *fault.Trouble) { t.ResetEvery = 20 * time.Millisecond }, 0, "", truth.SocketTruth{Accepted: 4, Closed: 3, Resets: 1}},
	} {
		require.NoError(t, server.Trouble(test.change))
		_, _, err := c.dial(t).ReadMessage()
		var closed *websocket.CloseError
		if test.code == 0 {
			require.ErrorIs(t, err, syscall.ECONNRESET)
		} else if assert.ErrorAs(t, err, &closed) {
			assert.Equal(t, test.code, closed.Code)
			assert.Equal(t, test.text, closed.Text)
		}
		settled(t, server, test.want)
	}
}

func TestEventsWaitForASocket(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) { c.Rate, c.Events = 1000, 300 })
	c := newClient(t, server)
	first := c.dial(t)
	receive(t, first, 100)
	server.CloseSockets(1000, "")
	untilClose(t, first, 1000)
	time.Sleep(50 * time.Millisecond) // in which 50 events would have happened

	before := time.Now().UnixMilli() // not after dialling: by then, events may have happened
	second := c.dial(t)
	for _, e := range receive(t, second, 10) {
		at, err := strconv.ParseInt(string(e.Timestamp), 10, 64)
		require.NoError(t, err)
		assert.GreaterOrEqual(t, at, before, "traffic time stopped")
		assert.LessOrEqual(t, at, time.Now().UnixMilli(), "no event comes before it happens")
	}
	<-server.Done()
	truth := server.Truth()
	assert.Equal(t, int64(300), truth.Events+truth.Unsure.Events)
	assert.Zero(t, truth.Missed.Events)
}

func TestLossyEventsAreMissedAndRecorded(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "events.jsonl")
	server := start(t, func(c *config.Config) { c.Rate, c.Events, c.Lossy, c.Record = 1000, 600, true, file })
	c := newClient(t, server)
	require.Eventually(t, func() bool { return server.Truth().Missed.Events > 50 }, 10*time.Second, time.Millisecond)
	conn := c.dial(t)
	events := receive(t, conn, 100)
	server.CloseSockets(1000, "")
	events = append(events, untilClose(t, conn, 1000)...)
	<-server.Done()

	truth := server.Truth()
	assert.Equal(t, int64(600), truth.Events+truth.Missed.Events)
	assert.Equal(t, countsOfEvents(events), countsOf(truth))
	require.Len(t, truth.Missed.Intervals, 2)
	first, second := truth.Missed.Intervals[0], truth.Missed.Intervals[1]
	assert.Equal(t, truth.Missed.Events, first.Events+second.Events)
	assert.LessOrEqual(t, first.Start, first.End)
	assert.LessOrEqual(t, first.End, second.Start)

	recorded := readRecord(t, file)
	assert.Len(t, recorded["sent"], len(events))
	assert.Equal(t, events, recorded["sent"], "in the order and to the byte")
	assert.Len(t, recorded["missed"], int(truth.Missed.Events))
}

// readRecord reads a --record file, by outcome.
func readRecord(t *testing.T, path string) map[string][]wireEvent {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	events := map[string][]wireEvent{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var line struct {
			Outcome string    `json:"outcome"`
			Time    int64     `json:"time"`
			Event   wireEvent `json:"event"`
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &line))
		assert.JSONEq(t, string(line.Event.Timestamp), jsonNumber(line.Time/1e6))
		events[line.Outcome] = append(events[line.Outcome], line.Event)
	}
	return events
}

func jsonNumber(number int64) string {
	text, _ := json.Marshal(number)
	return string(text)
}

func TestAWriteCutHalfWayIsUnsure(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) { c.FullSpeed, c.Events = true, 200_000 })
	c := newClient(t, server)
	stuck := c.dial(t) // reads nothing, so that a write is under way when the reset comes
	require.Eventually(t, func() bool {
		before := server.Truth().Events
		time.Sleep(200 * time.Millisecond) // long enough to distinguish a write that is stuck from one that has to wait its turn
		return before > 0 && server.Truth().Events == before
	}, 30*time.Second, time.Millisecond)
	server.Reset()
	require.NoError(t, stuck.Close())

	conn := c.dial(t)
	go func() {
		for {
			if _, _, err := conn.NextReader(); err != nil {
				return
			}
		}
	}()
	<-server.Done()
	truth := server.Truth()
	assert.Positive(t, truth.Unsure.Events)
	assert.Equal(t, int64(200_000), truth.Events+truth.Unsure.Events)
	require.NotEmpty(t, truth.Unsure.Series)
}

func TestTroubleAtRunTime(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) { c.Silent = true })
	c := newClient(t, server)
	post := func(path, body string) (int, string) {
		status, _, answer := c.do(t, http.MethodPost, path, "", body)
		return status, answer
	}

	status, body := post("/trouble", `{"malformed":0.25,"skew":"-200ms","upgrade-fail":"503:2:3s","silence":true,
		"channel-fail":"429:1:5s","topic-reject":"v2.users,abc","channel-ttl":"90s","no-pong":true}`)
	require.Equal(t, http.StatusOK, status, body)
	var values map[string]string
	require.NoError(t, json.Unmarshal([]byte(body), &values))
	assert.Equal(t, "0.25", values["malformed"])
	now := server.host.Trouble.Now()
	assert.Equal(t, -200*time.Millisecond, now.Skew)
	assert.Equal(t, fault.Failure{Status: 503, Times: 2, RetryAfter: 3 * time.Second}, now.UpgradeFail)
	assert.True(t, now.Silence)
	assert.Equal(t, fault.Failure{Status: 429, Times: 1, RetryAfter: 5 * time.Second}, now.ChannelFail)
	assert.Equal(t, fault.Rejection{Texts: []string{"v2.users", "abc"}}, now.TopicReject)
	assert.Equal(t, 90*time.Second, now.ChannelTTL)
	assert.True(t, now.NoPong)

	for bad, want := range map[string]string{
		`{"malformed":0.5,"skew":"soon"}`: "skew: soon",
		`{"malformed":0.5,"rate":7}`:      "rate: no such trouble",
		`{"malformed":7}`:                 "--malformed 7",
		`{"token-fail":"503:x"}`:          `times \"x\"`,
		`[]`:                              "want a JSON object",
	} {
		status, body := post("/trouble", bad)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, body, want)
	}
	assert.InDelta(t, 0.25, server.host.Trouble.Now().Malformed, 0, "a refused change changes nothing")
	status, _, body = c.do(t, http.MethodGet, "/trouble", "", "")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, `"upgrade-fail":"503:2:3s"`)
}

func TestTroubleAtOnce(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) {
		c.Rate, c.DropRate, c.Trouble.BurstDropRate, c.Trouble.BurstDuration = 500, 0, 40, 100*time.Millisecond
	})
	c := newClient(t, server)
	post := func(path string) {
		status, _, _ := c.do(t, http.MethodPost, path, "", "")
		require.Equal(t, http.StatusNoContent, status)
	}
	conn := c.dial(t)
	receive(t, conn, 10)
	post("/trouble/burst")
	drops := 0
	for drops < 60 { // 40 % of about 200 sessions
		for _, e := range receive(t, conn, 1) {
			if e.Code == 1006 || e.Code == 1011 {
				drops++
			}
		}
	}
	post("/trouble/close")
	untilClose(t, conn, 1001)
	conn = c.dial(t)
	receive(t, conn, 1)
	post("/trouble/reset")
	for {
		if _, _, err := conn.ReadMessage(); err != nil {
			require.ErrorIs(t, err, syscall.ECONNRESET)
			return
		}
	}
}

func TestTheTruthAndTheHealthAreServed(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) { c.Rate, c.Events = 5000, 100 })
	c := newClient(t, server)
	receive(t, c.dial(t), 100)
	<-server.Done()
	status, _, body := c.do(t, http.MethodGet, "/truth", "", "")
	assert.Equal(t, http.StatusOK, status)
	var served truth.Truth
	require.NoError(t, json.Unmarshal([]byte(body), &served))
	assert.Equal(t, server.Truth(), served)
	assert.InDelta(t, time.Now().UnixMilli(), served.Started, 60_000)
	open := int64(0)
	for _, s := range served.Series {
		open += s.Open
	}
	assert.Equal(t, 200+served.Total.ConnectionsOpened-served.Total.ConnectionsClosed, open)

	status, _, _ = c.do(t, http.MethodGet, "/healthz", "", "")
	assert.Equal(t, http.StatusOK, status)
}

func TestCloseEndsABlockedWrite(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) { c.FullSpeed = true })
	newClient(t, server).dial(t) // reads nothing
	require.Eventually(t, func() bool { return server.Truth().Events > 0 }, 10*time.Second, time.Millisecond)
	closed := make(chan error, 1)
	go func() { closed <- server.Close() }()
	select {
	case err := <-closed:
		require.NoError(t, err)
	case <-time.After(10 * time.Second):
		t.Fatal("Close does not return")
	}
}

func TestACampaignOnRequest(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) {
		c.Rate, c.Sessions, c.Trouble.CampaignFactor, c.Trouble.CampaignDuration = 5000, 20, 100, time.Hour
	})
	c := newClient(t, server)
	conn := c.dial(t)
	receive(t, conn, 10)
	status, _, _ := c.do(t, http.MethodPost, "/trouble/campaign", "", "")
	require.Equal(t, http.StatusNoContent, status)
	opened := 0
	for opened < 200 { // of 20 sessions at a time
		for _, e := range receive(t, conn, 1) {
			if e.Type == "connection.open" && e.TenantID == "acme_corp" {
				opened++
			}
		}
	}
}
