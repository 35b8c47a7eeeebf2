// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// recordingLength is the time that a recording covers.
const recordingLength = 10 * time.Minute

// recording is a file of events of simulated time, one a line, the same whenever it is made; only the moment of its
// end is given. It is replayed as fast as a collector reads.
type recording struct {
	file  string
	end   time.Time
	truth sim.Truth
}

// recordedEvent is a line of the file.
type recordedEvent struct {
	Type        string `json:"type"`
	Timestamp   int64  `json:"timestamp"` // unix ms
	ID          string `json:"id"`
	ChannelID   string `json:"channelId"`
	TenantID    string `json:"tenantId"`
	Region      string `json:"region"`
	ChannelType string `json:"channelType"`
	PayloadSize int64  `json:"payloadSize,omitempty"`
	Code        int    `json:"code,omitempty"`
}

// record writes a recording: four series of different rates, whose channels open, exchange messages and close, one in
// eight of them abnormally.
func record(t testing.TB, end time.Time) recording {
	t.Helper()
	r := recording{file: filepath.Join(t.TempDir(), "recording.jsonl"), end: end}
	random := rand.New(rand.NewPCG(17, 10)) //nolint:gosec // the same events each time
	series := []sim.Series{
		{TenantID: "acme_corp", Region: "us-east-1", ChannelType: "webmessaging"},
		{TenantID: "acme_corp", Region: "us-east-1", ChannelType: "voice"},
		{TenantID: "acme_corp", Region: "eu-west-1", ChannelType: "webmessaging"},
		{TenantID: "globex", Region: "us-east-1", ChannelType: "webmessaging"},
	}
	counts, open := make([]sim.Counts, len(series)), make([][]string, len(series))
	var text bytes.Buffer
	lines := json.NewEncoder(&text)
	events, begin := 0, end.Add(-recordingLength).UnixMilli()
	for at := begin; at < end.UnixMilli(); at += 1 + random.Int64N(100) { // some 20 a second
		of := random.IntN(1 + random.IntN(len(series))) // the first has most
		c := &counts[of]
		e := recordedEvent{
			Timestamp: at, ID: fmt.Sprintf("e-%d", events), TenantID: series[of].TenantID, Region: series[of].Region, ChannelType: series[of].ChannelType,
		}
		place := 0
		if len(open[of]) > 0 {
			place = random.IntN(len(open[of]))
		}
		switch what := random.IntN(20); {
		case len(open[of]) == 0 || what == 0:
			e.Type, e.ChannelID = "connection.open", fmt.Sprintf("c-%d", events)
			open[of] = append(open[of], e.ChannelID)
			c.ConnectionsOpened++
		case what == 1:
			e.Type, e.ChannelID, e.Code = "connection.close", open[of][place], 1000
			open[of] = append(open[of][:place], open[of][place+1:]...)
			c.ConnectionsClosed++
			if random.IntN(8) == 0 {
				e.Code = 1006
				c.ConnectionsDropped++
			}
		case what < 10:
			e.Type, e.ChannelID, e.PayloadSize = "message.send", open[of][place], 1+random.Int64N(2048)
			c.MessagesSent++
		default:
			e.Type, e.ChannelID, e.PayloadSize = "message.receive", open[of][place], 1+random.Int64N(512)
			c.MessagesReceived++
		}
		c.PayloadBytes += e.PayloadSize
		require.NoError(t, lines.Encode(e))
		events++
	}
	require.NoError(t, os.WriteFile(r.file, text.Bytes(), 0o600))
	for i := range series {
		r.truth.Series = append(r.truth.Series, sim.SeriesTruth{Series: series[i], Counts: counts[i], Open: int64(len(open[i]))})
	}
	r.truth.Events = int64(events)
	return r
}

// replay sends the recording to the collector that is connected to a platform.
func (r recording) replay(t testing.TB, platform *sim.Server) {
	t.Helper()
	require.NoError(t, platform.WaitConnected(t.Context()))
	file, err := os.Open(r.file)
	require.NoError(t, err)
	defer file.Close()
	const perFrame = 50
	var frame bytes.Buffer
	lines, events := bufio.NewScanner(file), 0
	for lines.Scan() {
		frame.Write(lines.Bytes())
		frame.WriteByte('\n')
		if events++; events%perFrame == 0 {
			require.NoError(t, platform.Send(frame.Bytes()))
			frame.Reset()
		}
	}
	require.NoError(t, lines.Err())
	if frame.Len() > 0 {
		require.NoError(t, platform.Send(frame.Bytes()))
	}
}

// counts are the truth by series.
func (r recording) counts() map[sim.Series]sim.Counts {
	of := map[sim.Series]sim.Counts{}
	for _, series := range r.truth.Series {
		of[series.Series] = series.Counts
	}
	return of
}
