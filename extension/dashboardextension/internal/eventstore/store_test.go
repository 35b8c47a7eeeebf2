// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package eventstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// lost counts what a store reports.
type lost struct {
	mutex  sync.Mutex
	events map[Reason]int
	status []error
}

func (l *lost) options(directory string) Options {
	l.events = map[Reason]int{}
	return Options{
		Directory: directory, Retention: 24 * time.Hour, MaxBytes: 1 << 30,
		Logger: slog.New(slog.DiscardHandler),
		Lost: func(reason Reason, n int) {
			l.mutex.Lock()
			defer l.mutex.Unlock()
			l.events[reason] += n
		},
		Status: func(err error) {
			l.mutex.Lock()
			defer l.mutex.Unlock()
			l.status = append(l.status, err)
		},
	}
}

func (l *lost) of(reason Reason) int {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.events[reason]
}

func open(t *testing.T, directory string) (*Store, *lost) {
	t.Helper()
	l := &lost{}
	s, err := Open(l.options(directory))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s, l
}

func event(at time.Time, id int, channel string) *Event {
	e := &Event{
		Time: at.UnixNano(), Type: "message.send", Tenant: "acme", Region: "eu", ChannelType: "web", ChannelID: channel,
		JSON: fmt.Appendf(nil, `{"id":%d,"channel_id":%q,"text":"%s"}`, id, channel, strings.Repeat("x", id%300)),
	}
	switch id % 5 {
	case 0:
		e.Type, e.CloseCode, e.CloseReason, e.AbnormalKnown, e.Abnormal = "connection.close", 1006, "error", true, id%10 == 0
	case 1:
		e.Tenant, e.Region, e.ChannelType = "beta", "us", "voice"
	case 2:
		e.Type, e.ChannelID = "stream.alive", ""
	}
	return e
}

func batch(t *testing.T, events ...*Event) *Batch {
	t.Helper()
	b := &Batch{}
	for _, e := range events {
		require.NoError(t, b.Add(e))
	}
	return b
}

// all follows the cursors to the end.
func all(t *testing.T, s *Store, q *Query, limit int) (texts []string, complete bool) {
	t.Helper()
	complete = true
	for cursor := (Cursor{}); ; {
		result, err := s.Select(t.Context(), q, cursor, limit)
		require.NoError(t, err)
		require.LessOrEqual(t, len(result.Events), limit)
		for _, e := range result.Events {
			texts = append(texts, string(e))
		}
		complete = complete && result.Complete
		if result.Next == nil {
			return texts, complete
		}
		parsed, err := ParseCursor(result.Next.String())
		require.NoError(t, err)
		require.NotEqual(t, cursor, parsed)
		cursor = parsed
	}
}

// compact makes blocks of all events in memory.
func compact(t *testing.T, s *Store) {
	t.Helper()
	require.NoError(t, s.flushAll(t.Context()))
}

// killed is the directory as the end of the process at this moment would leave it.
func killed(t *testing.T, s *Store) string {
	t.Helper()
	directory := t.TempDir()
	require.NoError(t, os.CopyFS(directory, os.DirFS(s.options.Directory)))
	return directory
}

// Every query returns exactly the events that it describes, newest first, each once: from memory, journals and blocks,
// page by page, with events that were sent twice, and after the process is killed.
func TestStore_SelectsWhatWasStored(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	s, _ := open(t, t.TempDir())
	start := time.Now().Add(-3 * time.Hour).Truncate(time.Millisecond)
	type stored struct {
		*Event

		key key
	}
	var events []stored
	for id := range 4000 {
		e := event(start.Add(time.Duration(random.IntN(3*3600_000))*time.Millisecond), id, fmt.Sprintf("channel-%d", random.IntN(40)))
		b := batch(t, e)
		r, ok := decodeRow(b.rows[4:])
		require.True(t, ok)
		events = append(events, stored{e, r.key()})
		require.NoError(t, s.Append(t.Context(), b))
		if random.IntN(50) == 0 {
			require.NoError(t, s.Append(t.Context(), b), "the sender did not get the response")
		}
		switch id {
		case 700, 1500, 2500:
			compact(t, s)
		case 1000, 3000:
			s, _ = open(t, killed(t, s))
		}
	}
	slices.SortFunc(events, func(a, b stored) int {
		if b.key.less(a.key) {
			return -1
		}
		return 1
	})
	yes, no := true, false
	for i, q := range []Query{
		{},
		{Tenant: "beta"},
		{Region: "eu"},
		{ChannelType: "voice"},
		{Types: []string{"connection.close"}},
		{Types: []string{"message.send", "stream.alive"}},
		{ChannelID: "channel-7"},
		{ChannelID: "channel-7", Types: []string{"message.send"}},
		{ChannelID: "none"},
		{Abnormal: &yes},
		{Abnormal: &no},
		{Tenant: "none"},
		{Tenant: "acme", Region: "us"},
	} {
		q.Start = start.Add(time.Duration(i) * time.Minute).UnixNano()
		q.End = start.Add(3*time.Hour - time.Duration(i)*time.Minute).UnixNano()
		var want []string
		for _, e := range events {
			r, _ := decodeRow(batch(t, e.Event).rows[4:])
			if q.selects(&r) {
				want = append(want, string(e.JSON))
			}
		}
		for _, limit := range []int{1000, 37} {
			got, _ := all(t, s, &q, limit)
			assert.Equal(t, want, got, "%+v", q)
		}
		summary, err := s.Summarize(t.Context(), &q)
		require.NoError(t, err)
		assert.Equal(t, len(want), summary.Events)
	}
}

func TestStore_Summary(t *testing.T) {
	t.Parallel()
	s, _ := open(t, t.TempDir())
	base := time.Now().Truncate(time.Minute).Add(-2 * time.Minute)
	var events []*Event
	for id := range 20 {
		events = append(events, event(base.Add(time.Duration(id)*time.Second), id, "c"))
	}
	require.NoError(t, s.Append(t.Context(), batch(t, events...)))
	s.Lose(Overload, base.Add(time.Second).UnixNano(), base.Add(2*time.Second).UnixNano())
	s.Lose(DiskFull, base.Add(61*time.Second).UnixNano())
	summary, err := s.Summarize(t.Context(), &Query{Start: base.UnixNano(), End: base.Add(2 * time.Minute).UnixNano()})
	require.NoError(t, err)
	yes, no := true, false
	assert.Equal(t, Summary{
		Events: 20, Oldest: base.UnixMilli(),
		Types:  []Count{{"message.send", 12}, {"connection.close", 4}, {"stream.alive", 4}},
		Closes: []Close{{1006, "error", &no, 2}, {1006, "error", &yes, 2}},
		Minutes: []Minute{
			{Start: base.UnixMilli(), Events: 20, Lost: map[Reason]int64{Overload: 2}},
			{Start: base.Add(time.Minute).UnixMilli(), Lost: map[Reason]int64{DiskFull: 1}},
		},
	}, normalized(summary))
	result, err := s.Select(t.Context(), &Query{Start: base.UnixNano(), End: base.Add(time.Minute).UnixNano()}, Cursor{}, 100)
	require.NoError(t, err)
	assert.False(t, result.Complete)
}

// normalized orders closes that differ in nothing else by abnormal.
func normalized(s Summary) Summary {
	slices.SortStableFunc(s.Closes, func(a, b Close) int {
		if a.Count == b.Count && *a.Abnormal != *b.Abnormal && !*a.Abnormal {
			return -1
		}
		return 0
	})
	return s
}

// Nothing that was stored is on the disk 25 hours later, and losses and the marks of minutes expire as well.
func TestStore_RetentionDeletes(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, l := open(t, directory)
		const secret = "channel-of-a-person"
		begin := time.Now()
		for hour := range 4 {
			b := batch(t, event(time.Now(), 4*hour, secret+strconv.Itoa(hour)))
			require.NoError(t, s.Append(t.Context(), b))
			if hour%2 == 0 {
				compact(t, s)
			}
			time.Sleep(40 * time.Minute)
		}
		s.Lose(Overload, begin.UnixNano())
		// A blow to the file of the first hour, set aside by an earlier start.
		require.NoError(t, os.WriteFile(segmentPath(directory, hourOf(begin.UnixNano()))+damagedSuffix, []byte("x"), 0o600))
		require.Len(t, contents(t, directory, segmentSuffix), 3)
		time.Sleep(23 * time.Hour) // 25 h 40 min after the first, 23 h 40 min after the last
		q := &Query{Start: begin.Add(-time.Hour).UnixNano(), End: time.Now().UnixNano()}
		kept, _ := all(t, s, q, 100)
		assert.NotEmpty(t, kept)
		for _, text := range kept {
			assert.NotContains(t, text, secret+"0")
		}
		for path, text := range contents(t, directory, "") {
			assert.NotContains(t, text, secret+"0", path)
		}
		assert.NoFileExists(t, segmentPath(directory, hourOf(begin.UnixNano())))
		assert.NoFileExists(t, segmentPath(directory, hourOf(begin.UnixNano()))+damagedSuffix)
		time.Sleep(2 * time.Hour)
		assert.Empty(t, contents(t, directory, segmentSuffix))
		assert.Empty(t, contents(t, directory, journalSuffix))
		assert.Empty(t, s.losses.between(0, time.Now().UnixNano()))

		// What is too old already is counted, not stored; what is from the future expires by its arrival.
		var refused *Lost
		require.ErrorAs(t, s.Append(t.Context(), batch(t, event(time.Now().Add(-25*time.Hour), 4, "old"), event(time.Now().Add(99*time.Hour), 4, "future"))), &refused)
		assert.Equal(t, &Lost{1, map[Reason]int{TooOld: 1}}, refused)
		assert.Equal(t, 1, l.of(TooOld))
		time.Sleep(26 * time.Hour)
		assert.Empty(t, contents(t, directory, segmentSuffix))
		require.NoError(t, s.Close())
	})
}

func contents(t *testing.T, directory, suffix string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.HasSuffix(path, suffix) {
			content, err := os.ReadFile(path)
			all[path] = string(content)
			return err
		}
		return err
	}))
	return all
}

// Files expire at the start as well, before anything reads them.
func TestStore_ExpiresAtTheStart(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, _ := open(t, directory)
		require.NoError(t, s.Append(t.Context(), batch(t, event(time.Now(), 3, "a"))))
		compact(t, s)
		require.NoError(t, s.Append(t.Context(), batch(t, event(time.Now(), 4, "b"))))
		require.NoError(t, s.Close())
		time.Sleep(26 * time.Hour)
		s, _ = open(t, directory)
		time.Sleep(2 * time.Second)
		assert.Empty(t, contents(t, directory, segmentSuffix))
		assert.Empty(t, contents(t, directory, journalSuffix))
		require.NoError(t, s.Close())
	})
}

// The time in which the collector did not run is incomplete; the minutes before and after are not.
func TestStore_DowntimeIsIncomplete(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, _ := open(t, directory)
		begin := time.Now()
		require.NoError(t, s.Append(t.Context(), batch(t, event(begin, 3, "a"))))
		time.Sleep(3 * time.Minute)
		stopped := time.Now()
		dead := killed(t, s)
		require.NoError(t, s.Close())
		time.Sleep(10*time.Minute + 30*time.Second)
		s, _ = open(t, dead)
		started := time.Now()
		time.Sleep(5 * time.Minute)
		assert.True(t, s.isComplete(begin.UnixNano(), stopped.Add(-time.Minute).UnixNano()))
		assert.False(t, s.isComplete(stopped.UnixNano(), stopped.Add(time.Second).UnixNano()))
		assert.False(t, s.isComplete(started.UnixNano(), started.Add(time.Second).UnixNano()))
		assert.True(t, s.isComplete(started.Add(time.Minute).UnixNano(), time.Now().UnixNano()))
		require.NoError(t, s.Close())
	})
}

// The oldest hours go when all are larger than max_bytes; within one hour nothing more is accepted.
func TestStore_MaxBytes(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := &lost{}
		options := l.options(directory)
		options.MaxBytes = 300_000
		s, err := Open(options)
		require.NoError(t, err)
		random := rand.New(rand.NewPCG(1, 2))
		add := func() error {
			b := &Batch{}
			for range 100 {
				e := event(time.Now(), 4, "c")
				e.JSON = make([]byte, 1000)
				for i := range e.JSON {
					e.JSON[i] = byte(random.Uint32())
				}
				require.NoError(t, b.Add(e))
			}
			return s.Append(t.Context(), b)
		}
		for range 5 {
			require.NoError(t, add())
			compact(t, s)
			time.Sleep(time.Hour)
		}
		assert.Len(t, contents(t, directory, segmentSuffix), 2)
		for range 4 {
			require.NoError(t, add())
		}
		time.Sleep(2 * time.Second)
		var refused *Unavailable
		require.ErrorAs(t, add(), &refused)
		assert.Equal(t, MaxBytes, refused.Reason)
		time.Sleep(time.Hour)
		require.NoError(t, add())
		require.NoError(t, s.Close())
	})
}

// A sender is asked to retry for ten seconds; then its events are taken and counted, so that its queue does not fill.
func TestStore_DiskFull(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := &lost{}
		options := l.options(directory)
		options.MinFreeBytes = 1 << 60
		s, err := Open(options)
		require.NoError(t, err)
		time.Sleep(2 * time.Second)
		begin := time.Now()
		b := batch(t, event(begin, 3, "a"), event(begin, 4, "b"))
		for range 10 {
			var refused *Unavailable
			require.ErrorAs(t, s.Append(t.Context(), b), &refused)
			assert.Equal(t, DiskFull, refused.Reason)
			time.Sleep(time.Second)
		}
		assert.Zero(t, l.of(DiskFull))
		var counted *Lost
		require.ErrorAs(t, s.Append(t.Context(), b), &counted)
		assert.Equal(t, "2 events are not stored: 2 disk_full", counted.Error())
		assert.Equal(t, 2, l.of(DiskFull))
		assert.False(t, s.isComplete(begin.UnixNano(), begin.Add(time.Second).UnixNano()))
		require.Len(t, l.status, 1)
		require.ErrorContains(t, l.status[0], "min_free_bytes")
		require.NoError(t, s.Close())
	})
}

// A batch that waits for the disk longer than a sender should is refused, and is not stored later.
func TestStore_Overload(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, _ := open(t, directory)
		hang := make(chan struct{})
		s.requests <- &request{command: func() { <-hang }}
		b := batch(t, event(time.Now(), 3, "a"))
		require.ErrorIs(t, s.Append(t.Context(), b), errOverload)
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, s.Append(canceled, b), context.Canceled)
		for range maxQueued - 2 {
			go func() { _ = s.Append(t.Context(), b) }()
		}
		synctest.Wait()
		require.ErrorIs(t, s.Append(t.Context(), b), errOverload, "the queue is full")
		large := &Batch{rows: make([]byte, maxQueuedLen), times: []int64{time.Now().UnixNano()}}
		require.ErrorIs(t, s.Append(t.Context(), large), errOverload)
		time.Sleep(writeTimeout + time.Second)
		close(hang)
		synctest.Wait()
		assert.Zero(t, s.queued.Load())
		got, _ := all(t, s, &Query{Start: 0, End: time.Now().UnixNano()}, 10)
		assert.Empty(t, got)
		require.NoError(t, s.Append(t.Context(), b))
		require.NoError(t, s.Close())
		require.ErrorIs(t, s.Append(t.Context(), b), ErrClosed)
	})
}

func TestStore_OneProcess(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	_, _ = open(t, directory)
	_, err := Open((&lost{}).options(directory))
	require.ErrorContains(t, err, "another process has this store open")
}

// Whatever byte of a block is damaged, all other blocks are returned, the minutes are marked, and the store opens.
func TestStore_DamagedFiles(t *testing.T) {
	t.Parallel()
	s, _ := open(t, t.TempDir())
	base := time.Now().Truncate(time.Hour).Add(-30 * time.Minute)
	var want [][]string
	for n := range 3 {
		b, texts := &Batch{}, []string{}
		for id := range 300 {
			e := event(base.Add(time.Duration(n)*5*time.Minute+time.Duration(id)*time.Millisecond), 1000*n+id, fmt.Sprint("c", id%20))
			require.NoError(t, b.Add(e))
			texts = append(texts, string(e.JSON))
		}
		require.NoError(t, s.Append(t.Context(), b))
		compact(t, s)
		want = append(want, texts)
	}
	var of *segment
	for _, of = range s.segments {
		require.Len(t, of.blocks, 3)
	}
	q := &Query{Start: base.UnixNano(), End: base.Add(30 * time.Minute).UnixNano()}
	second := of.blocks[1]
	for name, damage := range map[string]struct {
		at     int64
		length int
	}{
		"magic": {second.offset, 4}, "sizes": {second.offset + 20, 4}, "directory": {second.offset + headerSize + 3, 5},
		"chunk": {second.offset + second.size() - 20, 9}, "all of it": {second.offset, int(second.size())},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			directory := killed(t, s)
			file, err := os.OpenFile(filepath.Join(directory, filepath.Base(of.path)), os.O_RDWR, 0)
			require.NoError(t, err)
			_, err = file.WriteAt([]byte(strings.Repeat("#", damage.length)), damage.at)
			require.NoError(t, err)
			require.NoError(t, file.Close())
			damaged, _ := open(t, directory)
			got, complete := all(t, damaged, q, 1000)
			assert.False(t, complete)
			summary, err := damaged.Summarize(t.Context(), q)
			require.NoError(t, err)
			assert.True(t, slices.ContainsFunc(summary.Minutes, func(m Minute) bool {
				_, says := m.Lost[Damaged]
				return says && !m.Complete
			}), "no minute says so")
			for _, n := range []int{0, 2} {
				for _, text := range want[n] {
					assert.Contains(t, got, text)
				}
			}
			for _, text := range got {
				assert.True(t, slices.ContainsFunc(want, func(of []string) bool { return slices.Contains(of, text) }))
			}
			require.NoError(t, damaged.Append(t.Context(), batch(t, event(time.Now(), 3, "after"))))
			compact(t, damaged)
		})
	}
}

// A file that ends anywhere, in a block or in a journal, costs at most the events of the piece that is cut.
func TestStore_CutOffFiles(t *testing.T) {
	t.Parallel()
	s, _ := open(t, t.TempDir())
	base := time.Now().Truncate(time.Hour).Add(-30 * time.Minute)
	for id := range 200 {
		require.NoError(t, s.Append(t.Context(), batch(t, event(base.Add(time.Duration(id)*time.Second), id, "c"))))
		if id == 50 || id == 100 {
			compact(t, s)
		}
	}
	q := &Query{Start: base.UnixNano(), End: base.Add(30 * time.Minute).UnixNano()}
	for _, suffix := range []string{segmentSuffix, journalSuffix} {
		for cut := 1; cut < 6000; cut += 531 {
			directory := killed(t, s)
			for path, content := range contents(t, directory, suffix) {
				require.NoError(t, os.Truncate(path, int64(max(0, len(content)-cut))))
			}
			cutOff, _ := open(t, directory)
			got, complete := all(t, cutOff, q, 1000)
			assert.Less(t, len(got), 200)
			assert.Greater(t, len(got), 40)
			if suffix == segmentSuffix {
				assert.False(t, complete)
			}
			require.NoError(t, cutOff.Close())
		}
	}
}

// A flipped bit in a journal costs the events of one write. If it is in them they are counted; if it is in the header
// before them the minutes are marked.
func TestStore_FlippedBitInJournal(t *testing.T) {
	t.Parallel()
	s, _ := open(t, t.TempDir())
	base := time.Now().Add(-3 * time.Minute)
	for n := range 20 {
		b := &Batch{}
		for id := range 10 {
			require.NoError(t, b.Add(event(base.Add(time.Duration(10*n+id)*time.Millisecond), 10*n+id, "c")))
		}
		require.NoError(t, s.Append(t.Context(), b))
	}
	q := &Query{Start: base.UnixNano(), End: base.Add(time.Minute).UnixNano()}
	var at int // of the third frame, at a tenth of the journal
	for _, content := range contents(t, s.options.Directory, journalSuffix) {
		for range 2 {
			f, ok := decodeFrame([]byte(content)[at:], int64(at))
			require.True(t, ok)
			at += frameSize + len(f.data)
		}
	}
	for name, flip := range map[string]struct {
		at     int
		counts int
	}{"rows": {at + frameSize + 20, 10}, "first length of rows": {at + frameSize, 10}, "magic": {at, 0}, "length": {at + 4, 0}, "checksum": {at + frameSize - 1, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			directory := killed(t, s)
			for path, content := range contents(t, directory, journalSuffix) {
				changed := []byte(content)
				changed[flip.at] ^= 4
				require.NoError(t, os.WriteFile(path, changed, 0o600))
			}
			var log bytes.Buffer
			l := &lost{}
			options := l.options(directory)
			options.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError}))
			damaged, err := Open(options)
			require.NoError(t, err)
			got, complete := all(t, damaged, q, 1000)
			require.NoError(t, damaged.Close())
			assert.Len(t, got, 190)
			assert.False(t, complete)
			assert.Equal(t, flip.counts, l.of(Damaged))
			assert.Contains(t, log.String(), "A journal of events is damaged")
		})
	}
}

// What looks like a frame inside an event is not taken for one after damage.
func TestJournal_FrameInsideAnEvent(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	forged := newTable(directory, 1)
	require.NoError(t, forged.write(batch(t, event(time.Now(), 1, "forged")).rows))
	require.NoError(t, forged.close())
	content, err := os.ReadFile(forged.path)
	require.NoError(t, err)
	carrier := event(time.Now(), 1, "carrier")
	carrier.JSON = content
	outer := newTable(directory, 2)
	require.NoError(t, outer.write(batch(t, carrier).rows))
	require.NoError(t, outer.close())
	content, err = os.ReadFile(outer.path)
	require.NoError(t, err)
	content[0] ^= 1
	require.NoError(t, os.WriteFile(outer.path, content, 0o600))
	read, err := readJournal(directory, 2, 0)
	require.NoError(t, err)
	assert.Zero(t, read.n)
	assert.Equal(t, int64(len(content)), read.cut)
}

// A kill between the block and the deletion of its journal stores nothing twice.
func TestStore_KilledAfterTheBlock(t *testing.T) {
	t.Parallel()
	s, _ := open(t, t.TempDir())
	now := time.Now()
	for id := range 50 {
		require.NoError(t, s.Append(t.Context(), batch(t, event(now.Add(-time.Duration(id)*3*time.Minute), id, "c"))))
	}
	before := contents(t, s.options.Directory, journalSuffix)
	compact(t, s)
	directory := killed(t, s)
	for path, content := range before {
		require.NoError(t, os.WriteFile(filepath.Join(directory, filepath.Base(path)), []byte(content), 0o600))
	}
	s, _ = open(t, directory)
	compact(t, s)
	rows := 0
	for _, of := range s.segments {
		for i := range of.blocks {
			rows += int(of.blocks[i].rows)
		}
	}
	assert.Equal(t, 50, rows)
}

// An erased channel is in no response and in no file, and neither are its events that arrive later; those of others are.
func TestStore_Erase(t *testing.T) {
	t.Parallel()
	s, _ := open(t, t.TempDir())
	base := time.Now().Add(-3 * time.Hour)
	incompressible := rand.New(rand.NewPCG(1, 2))
	mark := fmt.Sprintf("%x%x", incompressible.Uint64(), incompressible.Uint64())
	var late *Batch
	for id := range 600 {
		channel := fmt.Sprint("c", id%20)
		if id%20 == 3 {
			channel = mark
		}
		b := batch(t, event(base.Add(time.Duration(id)*15*time.Second), 5*id+3, channel))
		require.NoError(t, s.Append(t.Context(), b))
		if id%150 == 149 && id < 500 {
			compact(t, s)
		}
		if channel == mark {
			late = b
		}
	}
	q := &Query{Start: base.UnixNano(), End: time.Now().UnixNano()}
	before, _ := all(t, s, q, 1000)
	require.Len(t, before, 600)
	erasure, err := s.Erase(t.Context(), mark)
	require.NoError(t, err)
	assert.Equal(t, 30, erasure.Events)
	assert.True(t, erasure.Finished)
	check := func(s *Store) {
		t.Helper()
		require.NoError(t, s.Append(t.Context(), late), "a sender retries")
		after, _ := all(t, s, q, 1000)
		assert.Len(t, after, 570)
		assert.NotContains(t, strings.Join(after, "\n"), mark)
		for path, content := range contents(t, s.options.Directory, "") {
			assert.NotContains(t, content, mark, path)
		}
		for _, of := range s.segments {
			for i := range of.blocks {
				_, err := s.codec.readBlock(of.file, of.blocks[i].offset, &of.blocks[i].header, 0, func(r *row) error {
					assert.NotEqual(t, mark, string(r.channel))
					return nil
				})
				require.NoError(t, err)
			}
		}
	}
	check(s)
	reopened, _ := open(t, killed(t, s))
	check(reopened)
	record := contents(t, s.options.Directory, erasuresFile)
	require.Len(t, record, 1)
	for _, text := range record {
		assert.Contains(t, text, erasure.ChannelSHA256)
		assert.Equal(t, 2, strings.Count(text, "\n"))
	}
	_, err = s.Erase(t.Context(), "")
	require.Error(t, err)
	nothing, err := s.Erase(t.Context(), "unknown")
	require.NoError(t, err)
	assert.Zero(t, nothing.Events)
}

// An erasure that a kill interrupts at any of its writes is finished by the next start.
func TestStore_EraseInterrupted(t *testing.T) {
	t.Parallel()
	s, _ := open(t, t.TempDir())
	base := time.Now().Add(-2 * time.Hour)
	for id := range 100 {
		require.NoError(t, s.Append(t.Context(), batch(t, event(base.Add(time.Duration(id)*time.Minute), 5*id+3, fmt.Sprint("c", id%10)))))
	}
	compact(t, s)
	for _, step := range []string{"recorded", "replaced", "overwritten"} {
		s, _ := open(t, killed(t, s))
		line := Erasure{Time: time.Now().UTC(), ChannelHash: channelHash("c3")}
		of := sha256.Sum256([]byte("c3"))
		line.ChannelSHA256 = hex.EncodeToString(of[:])
		s.mutex.Lock()
		require.NoError(t, s.erasures.record(&line))
		s.erasures.add(of, line.Time.UnixNano())
		s.mutex.Unlock()
		if step != "recorded" {
			one := s.sortedSegments()[0]
			old := one.blocks[0]
			_, err := s.eraseBlock(one, old, line.ChannelHash)
			require.NoError(t, err)
			if step == "replaced" { // the old block is not marked yet
				_, err = one.file.WriteAt([]byte{0}, old.offset+stateAt)
				require.NoError(t, err)
			}
		}
		reopened, _ := open(t, killed(t, s))
		require.Eventually(t, func() bool {
			for _, text := range contents(t, reopened.options.Directory, erasuresFile) {
				return strings.Contains(text, `"finished":true`)
			}
			return false
		}, 10*time.Second, 10*time.Millisecond, step)
		got, _ := all(t, reopened, &Query{Start: base.UnixNano(), End: time.Now().UnixNano()}, 1000)
		assert.Len(t, got, 90, step)
		for _, of := range reopened.segments {
			for i := range of.blocks {
				found, err := mayHold(of.file, of.blocks[i].offset, &of.blocks[i].header, line.ChannelHash)
				require.NoError(t, err)
				assert.False(t, found, step)
			}
		}
	}
}

// Queries, writes, erasures and expiry at the same time give complete results.
func TestStore_Concurrent(t *testing.T) {
	t.Parallel()
	s, _ := open(t, t.TempDir())
	base := time.Now().Add(-time.Hour)
	var fixed []*Event
	for id := range 1000 {
		fixed = append(fixed, event(base.Add(time.Duration(id)*time.Second), 5*id+3, fmt.Sprint("c", id%50)))
	}
	require.NoError(t, s.Append(t.Context(), batch(t, fixed...)))
	compact(t, s)
	var wg sync.WaitGroup
	for worker := range 2 {
		wg.Go(func() {
			for id := range 200 {
				e := event(base.Add(time.Hour-time.Second), 5*id+3, fmt.Sprintf("w%d-%d", worker, id))
				assert.NoError(t, s.Append(t.Context(), batch(t, e)))
			}
		})
		wg.Go(func() {
			for range 20 {
				got, err := s.Select(t.Context(), &Query{Start: base.UnixNano(), End: base.Add(50 * time.Minute).UnixNano(), ChannelID: "c49"}, Cursor{}, 100)
				if err != nil {
					t.Error(err)
					return
				}
				assert.Equal(t, 20, len(got.Events)) //nolint:testifylint // Len prints all of them
			}
		})
	}
	wg.Go(func() {
		for n := range 10 {
			erasure, err := s.Erase(t.Context(), fmt.Sprint("c", n))
			if err != nil {
				t.Error(err)
				return
			}
			assert.Equal(t, 20, erasure.Events)
		}
	})
	wg.Wait()
	summary, err := s.Summarize(t.Context(), &Query{Start: base.UnixNano(), End: time.Now().UnixNano()})
	require.NoError(t, err)
	assert.Equal(t, 1000-10*20+2*200, summary.Events)
}

func TestStore_Limits(t *testing.T) {
	t.Parallel()
	s, _ := open(t, t.TempDir())
	b := &Batch{}
	require.ErrorIs(t, b.Add(&Event{JSON: make([]byte, MaxEvent)}), errTooLarge)
	assert.Zero(t, b.Len())
	_, err := ParseCursor("zz")
	require.ErrorIs(t, err, ErrCursor)
	_, err = ParseCursor("00")
	require.ErrorIs(t, err, ErrCursor)
	// A result is bounded in bytes, and goes on at the cursor.
	now := time.Now()
	for id := range 200 {
		e := event(now.Add(-time.Duration(id)*time.Second), 4, "large")
		e.JSON = fmt.Appendf(nil, `{"id":%d,"text":"%s"}`, id, strings.Repeat("y", 80<<10))
		require.NoError(t, b.Add(e))
	}
	require.NoError(t, s.Append(t.Context(), b))
	q := &Query{Start: now.Add(-time.Hour).UnixNano(), End: now.Add(time.Hour).UnixNano()}
	first, err := s.Select(t.Context(), q, Cursor{}, 1000)
	require.NoError(t, err)
	assert.Less(t, len(first.Events), 120)
	require.NotNil(t, first.Next)
	got, _ := all(t, s, q, 1000)
	assert.Len(t, got, 200)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Select(canceled, q, Cursor{}, 10)
	require.ErrorIs(t, err, context.Canceled)
}

// FuzzBlock reads arbitrary bytes as a file of blocks.
func FuzzBlock(f *testing.F) {
	codec, err := newCodec()
	require.NoError(f, err)
	b := &Batch{}
	start := time.Unix(1_700_000_000, 0)
	for id := range 40 {
		require.NoError(f, b.Add(event(start.Add(time.Duration(id)*time.Second), id, strconv.Itoa(id%7))))
	}
	var rows []row
	_, err = eachRow(b.rows, func(r *row) error {
		rows = append(rows, *r)
		return nil
	})
	require.NoError(f, err)
	block, _ := codec.encodeBlock(rows, 7, 0)
	f.Add(block)
	f.Add(append(slices.Clone(block[:len(block)-9]), block...))
	f.Add([]byte(blockMagic))
	f.Fuzz(func(t *testing.T, content []byte) {
		directory := t.TempDir()
		require.NoError(t, os.WriteFile(segmentPath(directory, 0), content, 0o600))
		of, _, err := openSegment(directory, 0)
		if err != nil {
			return
		}
		for i := range of.blocks {
			n := 0
			lost, err := codec.readBlock(of.file, of.blocks[i].offset, &of.blocks[i].header, 0, func(*row) error {
				n++
				return nil
			})
			require.NoError(t, err)
			require.GreaterOrEqual(t, lost, 0)
			_, err = mayHold(of.file, of.blocks[i].offset, &of.blocks[i].header, 99)
			require.NoError(t, err)
		}
		require.NoError(t, of.close())
	})
}

// FuzzJournal reads arbitrary bytes as a journal.
func FuzzJournal(f *testing.F) {
	b := &Batch{}
	require.NoError(f, b.Add(event(time.Unix(1_700_000_000, 0), 3, "c")))
	directory := f.TempDir()
	t := newTable(directory, 1)
	require.NoError(f, t.write(b.rows))
	require.NoError(f, t.close())
	content, err := os.ReadFile(t.path)
	require.NoError(f, err)
	f.Add(content)
	f.Add(content[:len(content)-1])
	f.Add(binary.LittleEndian.AppendUint32(nil, 1<<31))
	f.Fuzz(func(t *testing.T, content []byte) {
		directory := t.TempDir()
		require.NoError(t, os.WriteFile(journalPath(directory, 1), content, 0o600))
		read, err := readJournal(directory, 1, 0)
		if err != nil {
			require.ErrorIs(t, err, errDamaged)
			return
		}
		require.GreaterOrEqual(t, read.cut, int64(0))
		require.LessOrEqual(t, read.cut+read.skipped, int64(len(content)))
		n, err := eachRow(read.rows, func(*row) error { return nil })
		require.NoError(t, err)
		require.Equal(t, read.n, n)
	})
}

func TestLosses_DamagedFile(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(directory, lossesFile), []byte("{"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(directory, aliveFile), []byte("yesterday"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(directory, erasuresFile), []byte("?\n{}\n"), 0o600))
	require.NoError(t, os.WriteFile(journalPath(directory, 9), make([]byte, maxJournal+1), 0o600))
	s, _ := open(t, directory)
	assert.False(t, s.isComplete(time.Now().Add(-time.Minute).UnixNano(), time.Now().UnixNano()))
	require.NoError(t, s.Append(t.Context(), batch(t, event(time.Now(), 3, "c"))))
	assert.Equal(t, int64(1), s.Events())
	assert.Positive(t, s.Size())
}

var errTest = errors.New("test")

// A reader that stops ends with its own error.
func TestEachRow_Error(t *testing.T) {
	t.Parallel()
	b := batch(t, event(time.Now(), 3, "c"))
	_, err := eachRow(b.rows, func(*row) error { return errTest })
	require.ErrorIs(t, err, errTest)
	n, err := eachRow(b.rows[:len(b.rows)-1], func(*row) error { return errTest })
	require.NoError(t, err)
	assert.Zero(t, n)
}
