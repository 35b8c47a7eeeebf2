// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package eventstore

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

const (
	// maxWork bounds the bytes of events that a query goes through, before compression.
	maxWork = 512 << 20
	// maxResult bounds the bytes that Select returns.
	maxResult = 8 << 20
)

// ErrTooMuchWork is the cause of the error of a query that would go through too many events.
var ErrTooMuchWork = errors.New("the query would go through too many events")

// Cursor is the place after the last event of a result. The zero value is the beginning.
type Cursor struct{ key key }

// ErrCursor is the error of a text that is no cursor.
var ErrCursor = errors.New("not a cursor of an earlier response")

// ParseCursor reads the text of a cursor; an empty text is the beginning.
func ParseCursor(text string) (Cursor, error) {
	if text == "" {
		return Cursor{}, nil
	}
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != 16 {
		return Cursor{}, ErrCursor
	}
	return Cursor{key{int64(binary.BigEndian.Uint64(b)), binary.BigEndian.Uint64(b[8:])}}, nil //nolint:gosec // the bits are kept
}

// String is the text of the cursor.
func (c Cursor) String() string {
	b := binary.BigEndian.AppendUint64(nil, uint64(c.key.time)) //nolint:gosec // the bits are kept
	return hex.EncodeToString(binary.BigEndian.AppendUint64(b, c.key.hash))
}

// Result is the newest events that a query selects.
type Result struct {
	Events [][]byte // JSON
	// Next is the place to continue from, nil at the end. With it a result may have fewer events than the limit.
	Next *Cursor
	// Complete is false where events of the time range are missing.
	Complete bool
}

// source is a table, or a block of a segment.
type source struct {
	header

	rows   []byte // of a table
	of     *segment
	offset int64
}

// sources are those that may hold selected events, the newest first.
func (s *Store) sources(q *Query) []source {
	types, tenants := q.masks()
	var all []source
	add := func(c source) {
		if c.header.rows > 0 && c.maxTime >= q.Start && c.minTime < q.End && c.types&types != 0 && c.tenants&tenants != 0 {
			all = append(all, c)
		}
	}
	s.mutex.RLock()
	for _, t := range append(slices.Clone(s.sealed), s.current) {
		add(source{
			header: header{
				rows: uint32(t.n), minTime: t.minTime, maxTime: t.maxTime, types: t.types, tenants: t.tenants, raw: uint64(len(t.rows)), //nolint:gosec // maxTable
			},
			rows: t.rows,
		})
	}
	for _, of := range s.segments {
		for i := range of.blocks {
			add(source{header: of.blocks[i].header, of: of, offset: of.blocks[i].offset})
		}
	}
	s.mutex.RUnlock()
	slices.SortFunc(all, func(a, b source) int { return cmp.Compare(b.maxTime, a.maxTime) })
	return all
}

// errErased is the error of a source that was erased after it was listed.
var errErased = errors.New("erased meanwhile")

// read calls yield with the selected events of a source, and returns the number of bytes it went through, before compression.
func (s *Store) read(ctx context.Context, c *source, q *Query, yield func(*row)) (work uint64, complete bool, err error) {
	visit := func(r *row) error {
		work += uint64(len(r.encoded))
		if q.selects(r) && !s.erasures.hasRow(&s.mutex, r) {
			yield(r)
		}
		return ctx.Err()
	}
	if c.of == nil {
		_, err = eachRow(c.rows, visit)
		return work, true, err
	}
	c.of.content.RLock()
	defer c.of.content.RUnlock()
	if c.of.removed {
		return 0, true, nil // it has expired meanwhile
	}
	if c.of.erasures > 0 {
		state := make([]byte, 1)
		if _, err := c.of.file.ReadAt(state, c.offset+stateAt); err == nil && state[0] == erased {
			return 0, false, errErased
		}
	}
	hash := channelHash(q.ChannelID)
	if hash != 0 {
		if found, err := mayHold(c.of.file, c.offset, &c.header, hash); !found {
			return 0, err == nil, nil
		}
	}
	lost, err := s.codec.readBlock(c.of.file, c.offset, &c.header, hash, visit)
	if lost > 0 && s.firstDamage(c) {
		s.loseDamaged(&c.header, lost)
	}
	return work, lost == 0, err
}

// firstDamage reports whether the damage of a block was not found before.
func (s *Store) firstDamage(c *source) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if c.of.damaged[c.offset] {
		return false
	}
	if c.of.damaged == nil {
		c.of.damaged = map[int64]bool{}
	}
	c.of.damaged[c.offset] = true
	return true
}

// attempts is how often a query is run anew when events are erased during it.
const attempts = 3

// Select returns the newest limit events from a cursor on. It ends early, with a cursor, when it has
// gone through maxWork bytes of events.
func (s *Store) Select(ctx context.Context, q *Query, from Cursor, limit int) (result Result, err error) {
	for range attempts {
		if result, err = s.selectOnce(ctx, q, from, limit); !errors.Is(err, errErased) {
			break
		}
	}
	return result, err
}

func (s *Store) selectOnce(ctx context.Context, q *Query, from Cursor, limit int) (Result, error) {
	newest := newest{limit: limit, floor: lowestKey, held: map[key]struct{}{}}
	before := from.key
	if before == (key{}) {
		before = key{math.MaxInt64, math.MaxUint64}
	}
	result := Result{Complete: s.isComplete(q.Start, q.End)}
	work := uint64(0)
	sources := s.sources(q)
	for i := range sources {
		c := &sources[i]
		if c.minTime > before.time {
			continue // an earlier response had it
		}
		if c.maxTime < newest.floor.time {
			break // so are all others
		}
		if work >= maxWork || len(newest.heap) == limit && c.maxTime < newest.heap[0].key.time {
			newest.raise(key{c.maxTime, math.MaxUint64})
			break
		}
		n, complete, err := s.read(ctx, c, q, func(r *row) {
			if k := r.key(); k.less(before) {
				newest.add(k, r.json)
			}
		})
		work += n
		result.Complete = result.Complete && complete
		if err != nil {
			return result, err
		}
	}
	result.Events = newest.events()
	if newest.floor != lowestKey {
		floor := newest.floor
		if floor.hash == math.MaxUint64 {
			floor = key{floor.time + 1, 0}
		} else {
			floor.hash++
		}
		result.Next = &Cursor{floor}
	}
	return result, nil
}

// newest keeps the newest events, each once, within a number and a size.
type newest struct {
	limit int
	size  int
	floor key // events up to here are left to the next result
	held  map[key]struct{}
	heap  eventHeap
}

func (n *newest) add(k key, json []byte) {
	if _, twice := n.held[k]; twice || !n.floor.less(k) {
		return
	}
	if len(n.heap) == n.limit && k.less(n.heap[0].key) {
		n.floor = k
		return
	}
	n.held[k] = struct{}{}
	n.size += len(json)
	heap.Push(&n.heap, found{k, bytes.Clone(json)})
	for len(n.heap) > n.limit || n.size > maxResult && len(n.heap) > 1 {
		n.drop()
	}
}

func (n *newest) drop() {
	oldest := heap.Pop(&n.heap).(found)
	delete(n.held, oldest.key)
	n.size -= len(oldest.json)
	if n.floor.less(oldest.key) {
		n.floor = oldest.key
	}
}

// raise leaves all events up to a key to the next result.
func (n *newest) raise(floor key) {
	for len(n.heap) > 0 && !floor.less(n.heap[0].key) {
		n.drop()
	}
	if n.floor.less(floor) {
		n.floor = floor
	}
}

// events are those that are left, the newest first.
func (n *newest) events() [][]byte {
	slices.SortFunc(n.heap, func(a, b found) int {
		if b.key.less(a.key) {
			return -1
		}
		return 1
	})
	all := make([][]byte, len(n.heap))
	for i := range n.heap {
		all[i] = n.heap[i].json
	}
	return all
}

type found struct {
	key  key
	json []byte
}

// eventHeap has the oldest event first.
type eventHeap []found

func (h eventHeap) Len() int           { return len(h) }
func (h eventHeap) Less(i, j int) bool { return h[i].key.less(h[j].key) }
func (h eventHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *eventHeap) Push(x any) { *h = append(*h, x.(found)) }

// Pop implements heap.Interface.
func (h *eventHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// isComplete reports whether all events from a time to another are stored.
func (s *Store) isComplete(from, to int64) bool {
	now := time.Now()
	s.mutex.RLock()
	oldest := s.oldest(now)
	s.mutex.RUnlock()
	return from >= oldest && len(s.losses.between(from, to)) == 0
}

// Summary is what a query selects, in numbers.
type Summary struct {
	Events   int     `json:"events"`
	Complete bool    `json:"complete"`
	Oldest   int64   `json:"oldest"` // unix ms: before it nothing is stored
	Types    []Count `json:"types"`
	Closes   []Close `json:"closes"`
	// Minutes are those with events, or with losses.
	Minutes []Minute `json:"minutes"`
}

// Count is the number of events of a type.
type Count struct {
	Type  string `json:"type"`
	Count int    `json:"count"`
}

// Close is the number of closes with a code and a reason.
type Close struct {
	Code     int    `json:"code,omitempty"`
	Reason   string `json:"reason,omitempty"`
	Abnormal *bool  `json:"abnormal,omitempty"`
	Count    int    `json:"count"`
}

// Minute is a minute of event time.
type Minute struct {
	Start    int64            `json:"start"` // unix ms
	Events   int              `json:"events"`
	Complete bool             `json:"complete"`
	Lost     map[Reason]int64 `json:"lost,omitempty"` // of all series; 0 where the number is not known
}

// maxKinds bounds the types, and the codes and reasons, that a summary distinguishes.
const maxKinds = 200

type closeKey struct {
	code   uint64
	reason string
	flags  byte
}

// Summarize counts what a query selects. The cause of its error is ErrTooMuchWork if the query selects from more
// than maxWork bytes of events.
func (s *Store) Summarize(ctx context.Context, q *Query) (summary Summary, err error) {
	for range attempts {
		if summary, err = s.summarizeOnce(ctx, q); !errors.Is(err, errErased) {
			break
		}
	}
	return summary, err
}

func (s *Store) summarizeOnce(ctx context.Context, q *Query) (Summary, error) {
	sources := s.sources(q)
	work := uint64(0)
	for i := range sources {
		work += sources[i].raw
	}
	if work > maxWork && q.ChannelID == "" {
		return Summary{}, fmt.Errorf("%w: %d MiB of them, at most %d MiB at once: choose a shorter time", ErrTooMuchWork, work>>20, maxWork>>20)
	}
	now := time.Now()
	s.mutex.RLock()
	summary := Summary{Complete: true, Oldest: s.oldest(now) / int64(time.Millisecond)}
	s.mutex.RUnlock()
	seen := map[key]struct{}{}
	types, closes, minutes := map[string]int{}, map[closeKey]int{}, map[int64]int{}
	for i := range sources {
		_, complete, err := s.read(ctx, &sources[i], q, func(r *row) {
			k := r.key()
			if _, twice := seen[k]; twice {
				return
			}
			seen[k] = struct{}{}
			summary.Events++
			minutes[r.time-r.time%minute]++
			if _, known := types[string(r.typ)]; known || len(types) < maxKinds {
				types[string(r.typ)]++
			}
			if string(r.typ) == "connection.close" {
				of := closeKey{r.code, string(r.reason), r.flags}
				if _, known := closes[of]; known || len(closes) < maxKinds {
					closes[of]++
				}
			}
		})
		if err != nil {
			return summary, err
		}
		summary.Complete = summary.Complete && complete
	}
	summary.Types = countsOf(types)
	summary.Closes = closesOf(closes)
	summary.Minutes = minutesOf(minutes, s.losses.between(q.Start, q.End))
	for i := range summary.Minutes {
		summary.Complete = summary.Complete && summary.Minutes[i].Complete
	}
	summary.Complete = summary.Complete && q.Start/int64(time.Millisecond) >= summary.Oldest
	return summary, nil
}

func countsOf(types map[string]int) []Count {
	all := make([]Count, 0, len(types))
	for name, n := range types {
		all = append(all, Count{name, n})
	}
	slices.SortFunc(all, func(a, b Count) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Type, b.Type)) })
	return all
}

func closesOf(closes map[closeKey]int) []Close {
	all := make([]Close, 0, len(closes))
	for of, n := range closes {
		c := Close{Code: int(of.code), Reason: of.reason, Count: n} //nolint:gosec // Batch.Add had an int
		if of.flags&flagAbnormalKnown != 0 {
			abnormal := of.flags&flagAbnormal != 0
			c.Abnormal = &abnormal
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b Close) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Reason, b.Reason))
	})
	return all
}

func minutesOf(events map[int64]int, lost map[int64]map[Reason]int64) []Minute {
	all := make([]Minute, 0, len(events)+len(lost))
	for start, n := range events {
		all = append(all, Minute{Start: start / int64(time.Millisecond), Events: n, Complete: lost[start] == nil, Lost: lost[start]})
	}
	for start, reasons := range lost {
		if _, listed := events[start]; !listed {
			all = append(all, Minute{Start: start / int64(time.Millisecond), Lost: reasons})
		}
	}
	slices.SortFunc(all, func(a, b Minute) int { return cmp.Compare(a.Start, b.Start) })
	return all
}
