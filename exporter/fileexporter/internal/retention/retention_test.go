// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	megabyte  = 1 << 20
	rotation  = 256 * megabyte
	interval  = 10 * time.Minute
	scan      = 10 * time.Second
	eventSize = 1_000
)

// archive is one whose files are sizes alone.
type archive struct {
	limits  Limits
	files   []File
	current int64
	opened  time.Time
	deleted map[Reason]int64
}

// run writes events at a rate for a time, as the exporter does: a file is rotated by size
// and by time, and files are deleted at each scan.
func (a *archive) run(from time.Time, rate float64, length time.Duration) time.Time {
	a.opened = from
	owed := 0.0
	now := from
	for now.Sub(from) < length {
		now = now.Add(scan)
		owed += rate * scan.Seconds()
		a.current += int64(owed) * eventSize
		owed -= float64(int64(owed))
		if a.current > rotation || a.current > 0 && now.Sub(a.opened) >= interval {
			a.files = append(a.files, File{Name: strconv.Itoa(len(a.files)), Size: a.current, End: now})
			a.current, a.opened = 0, now
		}
		deletions, kept := Plan(a.files, a.current, now, a.limits)
		for _, d := range deletions {
			a.deleted[d.Reason] += d.Size
		}
		a.files = kept
	}
	return now
}

func (a *archive) size() int64 {
	size := a.current
	for _, f := range a.files {
		size += f.Size
	}
	return size
}

func TestPlan_KeepsADayAtAnyRate(t *testing.T) {
	t.Parallel()
	begin := time.Date(2024, 5, 13, 0, 0, 0, 0, time.UTC)
	for _, rate := range []float64{0.1, 1, 230, 5_000} {
		a := &archive{limits: Limits{MaxAge: 24 * time.Hour}, deleted: map[Reason]int64{}}
		now := a.run(begin, rate, 30*time.Hour)
		day := rate * eventSize * (24 * time.Hour).Seconds()
		assert.GreaterOrEqual(t, float64(a.size()), day, "%v/s: all events of 24 h are there", rate)
		margin := rate*eventSize*(interval+2*scan).Seconds() + 1
		assert.LessOrEqual(t, float64(a.size()), day+margin, "%v/s: and hardly more", rate)
		require.NotEmpty(t, a.files)
		assert.Less(t, now.Sub(a.files[0].End), 24*time.Hour+scan)
		assert.Zero(t, a.deleted[Size])
		assert.Positive(t, a.deleted[Age])
	}
}

func TestPlan_SizeLimit(t *testing.T) {
	t.Parallel()
	begin := time.Date(2024, 5, 13, 0, 0, 0, 0, time.UTC)
	limits := Limits{MaxAge: 24 * time.Hour, MaxSize: 100 << 30}
	busy := &archive{limits: limits, deleted: map[Reason]int64{}}
	busy.run(begin, 5_000, 30*time.Hour)
	assert.Positive(t, busy.deleted[Size])
	assert.Zero(t, busy.deleted[Age])
	assert.LessOrEqual(t, busy.size(), limits.MaxSize)
	assert.Greater(t, busy.size(), limits.MaxSize-2*rotation)

	quiet := &archive{limits: limits, deleted: map[Reason]int64{}}
	quiet.run(begin, 0.1, 30*time.Hour)
	assert.Zero(t, quiet.deleted[Size])
}

func TestPlan_Order(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, 5, 13, 12, 0, 0, 0, time.UTC)
	file := func(name string, age time.Duration) File { return File{Name: name, Size: 10, End: now.Add(-age)} }
	files := []File{file("d", time.Minute), file("a", 25*time.Hour), file("b", 24*time.Hour), file("c", time.Hour)}
	deleted, kept := Plan(files, 5, now, Limits{MaxAge: 24 * time.Hour, MaxSize: 30})
	assert.Equal(t, []Deletion{{files[1], Age}, {files[2], Size}}, deleted, "exactly max_age is kept by age, and goes by size")
	assert.Equal(t, []File{files[3], files[0]}, kept)
	deleted, kept = Plan(files, 1_000, now, Limits{MaxAge: 48 * time.Hour, MaxSize: 30})
	assert.Len(t, deleted, 4, "the current file is never deleted")
	assert.Empty(t, kept)
	deleted, _ = Plan(nil, 1_000, now, Limits{MaxSize: 1})
	assert.Empty(t, deleted)
}

func TestEnd_NamesOfRotatedFiles(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 5, 13, 12, 30, 1, 250_000_000, time.UTC)
	rotated := Rotated("/a/events.jsonl", at)
	assert.Equal(t, "/a/events-2024-05-13T12-30-01.250-time.jsonl", rotated)
	for name, want := range map[string]bool{
		"events-2024-05-13T12-30-01.250-time.jsonl":  true,
		"events-2024-05-13T12-30-01.250-size.jsonl":  true,
		"events-2024-05-13T12-30-01.250.jsonl":       true,
		"events-2024-05-13T12-30-01.250-mine.jsonl":  false,
		"events-2024-05-13T12-30-01.250-size.jsonl2": false,
		"events-2024-05-13T12-30.jsonl":              false,
		"events.jsonl":                               false,
		"other-2024-05-13T12-30-01.250-size.jsonl":   false,
		"events-of-2024-05-13T12-30-01.250.jsonl":    false,
		"events-": false,
	} {
		end, ok := End("/a/events.jsonl", name, time.UTC)
		assert.Equal(t, want, ok, name)
		if want {
			assert.Equal(t, at, end, name)
		}
	}
}
