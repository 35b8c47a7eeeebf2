// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package eventstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// request is a batch to write, or a command to run between batches.
type request struct {
	rows    []byte
	state   atomic.Int32
	done    chan error // has room for one
	command func()
}

// States of a request.
const (
	waiting int32 = iota
	writing
	abandoned
)

// Unavailable is the error of a batch of which nothing is stored; it can be sent again.
type Unavailable struct {
	Reason Reason
	Err    error
}

// Error implements error.
func (u *Unavailable) Error() string { return u.Err.Error() }

// Unwrap returns the cause.
func (u *Unavailable) Unwrap() error { return u.Err }

// ErrClosed is the cause of the error of a batch after Close.
var ErrClosed = errors.New("the event store is closed")

// Append stores a batch. When it returns without an error the events survive the end of the process, or, for
// *Lost, those that it counts are counted as losses. After another error nothing is counted, and the
// batch should be sent again: events that are stored twice are returned once.
func (s *Store) Append(ctx context.Context, b *Batch) error {
	now := time.Now()
	rows, n, lost := s.admissible(b, now)
	err := s.offer(ctx, rows)
	var unavailable *Unavailable
	switch {
	case err == nil:
		s.events.Add(int64(n))
	case errors.As(err, &unavailable) && s.backlog.shed(now):
		s.lose(unavailable.Reason, rows)
		lost.add(unavailable.Reason, n)
	default:
		return err
	}
	if lost.Events > 0 {
		return lost
	}
	return nil
}

// Lost is the error of a batch some of whose events are not stored and should not be sent again.
type Lost struct {
	Events  int
	Reasons map[Reason]int
}

// Error implements error.
func (l *Lost) Error() string {
	var parts []string
	for reason, n := range l.Reasons {
		parts = append(parts, fmt.Sprintf("%d %s", n, reason))
	}
	slices.Sort(parts)
	return fmt.Sprintf("%d events are not stored: %s", l.Events, strings.Join(parts, ", "))
}

func (l *Lost) add(reason Reason, n int) {
	if l.Reasons == nil {
		l.Reasons = map[Reason]int{}
	}
	l.Events += n
	l.Reasons[reason] += n
}

// admissible leaves out the events that are too old, and those of erased channels.
func (s *Store) admissible(b *Batch, now time.Time) (rows []byte, n int, lost *Lost) {
	oldest := now.Add(-s.options.Retention).UnixNano()
	lost = &Lost{}
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	if slices.IndexFunc(b.times, func(t int64) bool { return t < oldest }) < 0 && s.erasures.empty() {
		return b.rows, b.Len(), lost
	}
	_, _ = eachRow(b.rows, func(r *row) error { // it returns no error
		switch {
		case r.time < oldest:
			s.lose(TooOld, prefixed(nil, r.encoded))
			lost.add(TooOld, 1)
		case !s.erasures.has(r):
			rows = prefixed(rows, r.encoded)
			n++
		}
		return nil
	})
	return rows, n, lost
}

// Lose counts events that could not even be offered.
func (s *Store) Lose(reason Reason, times ...int64) {
	now := time.Now()
	for _, t := range times {
		s.losses.count(reason, s.clamp(t, now), 1)
	}
	s.options.Lost(reason, len(times))
}

// clamp is the time that a loss is counted at: that of the event, if it is within the retention.
func (s *Store) clamp(t int64, now time.Time) int64 {
	return max(now.Add(-s.options.Retention).UnixNano(), min(t, now.UnixNano()))
}

func (s *Store) lose(reason Reason, rows []byte) {
	var times []int64
	_, _ = eachRow(rows, func(r *row) error { // it returns no error
		times = append(times, r.time)
		return nil
	})
	s.Lose(reason, times...)
}

// offer passes rows to the writer and waits for it.
func (s *Store) offer(ctx context.Context, rows []byte) error {
	if len(rows) == 0 {
		return nil
	}
	if s.stopped.Err() != nil {
		return ErrClosed
	}
	if refused := s.refusal.Load(); refused != nil {
		return refused
	}
	if s.queued.Add(int64(len(rows))) > maxQueuedLen {
		s.queued.Add(-int64(len(rows)))
		return errOverload
	}
	r := &request{rows: rows, done: make(chan error, 1)}
	select {
	case s.requests <- r:
	default:
		s.queued.Add(-int64(len(rows)))
		return errOverload
	}
	timeout := time.NewTimer(writeTimeout)
	defer timeout.Stop()
	select {
	case err := <-r.done:
		return err
	case <-timeout.C:
		r.state.CompareAndSwap(waiting, abandoned)
		return errOverload
	case <-ctx.Done():
		r.state.CompareAndSwap(waiting, abandoned)
		return ctx.Err()
	case <-s.stopped.Done():
		return ErrClosed
	}
}

var errOverload = &Unavailable{Overload, errors.New("the event store is overloaded, or its disk is slow; retry later")}

// write is the goroutine that writes journals.
func (s *Store) write() {
	for {
		select {
		case <-s.stopped.Done():
			return
		case r := <-s.requests:
			if r.command != nil {
				r.command()
				continue
			}
			if r.state.CompareAndSwap(waiting, writing) {
				r.done <- s.store(r.rows)
			}
			s.queued.Add(-int64(len(r.rows)))
		}
	}
}

// store appends rows to the journal and to the table, and begins a new table when it is full.
func (s *Store) store(rows []byte) error {
	for len(rows) > 0 {
		part, rest := cutPart(rows, maxTable-len(s.current.rows))
		if len(part) == 0 {
			if s.current.n == 0 {
				return fmt.Errorf("rows: %w", errDamaged) // admissible gives none such
			}
			if err := s.rotate(); err != nil {
				return err
			}
			continue
		}
		if err := s.current.write(part); err != nil {
			s.report(fmt.Errorf("events are not stored: %w", err))
			return &Unavailable{DiskFull, err}
		}
		s.mutex.Lock()
		s.current.add(part, time.Now().UnixNano())
		s.mutex.Unlock()
		rows = rest
	}
	return nil
}

// cutPart splits off the first rows that fit into room.
func cutPart(rows []byte, room int) (part, rest []byte) {
	n := 0
	for rest := rows; ; {
		encoded, after, ok := cutRow(rest)
		if !ok || n+4+len(encoded) > room {
			return rows[:n], rows[n:]
		}
		n += 4 + len(encoded)
		rest = after
	}
}

// rotate begins a new table. It waits while too many are not blocks yet. Only the writer calls it.
func (s *Store) rotate() error {
	for {
		s.mutex.Lock()
		if len(s.sealed) < maxSealed {
			s.sealed = append(s.sealed, s.current)
			s.current = newTable(s.options.Directory, s.current.seq+1)
			s.current.frame, s.sealed[len(s.sealed)-1].frame = s.sealed[len(s.sealed)-1].frame, nil
			s.mutex.Unlock()
			select {
			case s.sealing <- struct{}{}:
			default:
			}
			return nil
		}
		flushed := s.flushed
		s.mutex.Unlock()
		select {
		case <-flushed:
		case <-s.stopped.Done():
			return ErrClosed
		}
	}
}
