// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// rows are the table rows of a page whose first cell is a time of day.
func rows(t *testing.T, page string) [][]string {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	var found [][]string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "| 12:") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		found = append(found, cells)
	}
	return found
}

func clock(t *testing.T, text string) int64 {
	t.Helper()
	at, err := time.Parse("15:04:05.999", text)
	require.NoError(t, err)
	midnight := time.Date(2024, 5, 13, 0, 0, 0, 0, time.UTC)
	return midnight.Add(time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute +
		time.Duration(at.Second())*time.Second + time.Duration(at.Nanosecond())).UnixMilli()
}

// The examples of docs/windows.md are calculated by hand; this test checks them.
func TestExample_README(t *testing.T) {
	t.Parallel()
	config := defaults()
	e := New(config)
	kinds := map[string]Event{
		"connection.open":       {Kind: ConnectionOpen},
		"connection.close 1000": {Kind: ConnectionClose},
		"connection.close 1006": {Kind: ConnectionClose, Abnormal: true},
		"message.send":          {Kind: MessageSend},
		"message.receive":       {Kind: MessageReceive},
	}
	var emitted []string
	var totals wsevent.Counts
	now := int64(0)
	emit := func() {
		for _, w := range e.Drain() {
			emitted = append(emitted, fmt.Sprintf("%s – %s|%s|%d|%d|%d|%d|%d|%d|%d|%g %%",
				w.Start.Time().UTC().Format("15:04:05"), w.End.Time().UTC().Format("15:04:05"),
				time.UnixMilli(now).UTC().Format("15:04:05.0"),
				w.ActiveConnections, w.Counts.MessagesSent, w.Counts.MessagesReceived, w.Counts.ConnectionsOpened,
				w.Counts.ConnectionsClosed, w.Counts.ConnectionsDropped, w.Counts.LateEvents, w.DropRatePercent()))
			totals = w.Totals
		}
	}
	var expected []string
	for _, cells := range rows(t, "../../../../docs/windows.md") {
		if len(cells) == 10 {
			expected = append(expected, strings.Join(cells, "|"))
			continue
		}
		event, ok := kinds[cells[2]]
		require.True(t, ok, cells[2])
		event.Time, event.Channel = clock(t, cells[1]), uint64(cells[3][0])
		now = clock(t, cells[0])
		observe(e, acme, []Event{event}, now)
		emit()
	}
	require.Len(t, expected, 3)
	for ; len(emitted) < len(expected) && now < clock(t, "12:01:00.0"); now += 100 {
		e.Advance(now)
		emit()
	}
	assert.Equal(t, expected, emitted)
	assert.Equal(t, wsevent.Counts{
		MessagesSent: 3, MessagesReceived: 2, ConnectionsOpened: 1, ConnectionsClosed: 3, ConnectionsDropped: 1, LateEvents: 1,
	}, totals)
}
