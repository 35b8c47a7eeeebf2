// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package eventblock

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
)

// Reader reads the events of a block, in their order:
//
//	for err := r.Open(block); err == nil && r.Next(&event); {
//		…
//	}
//
// It reads in place and allocates nothing, whatever the bytes are.
type Reader struct {
	err      error
	block    []byte
	events   int
	next     int // index of the next event
	kinds    int // where the column begins
	channels int // the same
	times    column
	observed column
	sizes    column
	details  column
	timeUnit int64 // ns
	unit     int64 // of arrivals, ns
	time     int64 // of the latest event
	arrival  int64 // the same
}

// column is what is left of a column of numbers or texts.
type column struct{ at, end int }

// Open begins to read a block. It returns an error if the block has another version than
// Version, a wrong checksum, or lengths that do not match.
func (r *Reader) Open(block []byte) error {
	*r = Reader{}
	r.err = r.open(block)
	return r.err
}

func (r *Reader) open(block []byte) error {
	if len(block) == 0 {
		return fmt.Errorf("event block: %w: it is empty", ErrMalformed)
	}
	if version := block[versionAt]; version != Version {
		return fmt.Errorf("event block: %w: %d, this collector reads %d; update it, or set encoding: records at the receiver", ErrVersion, version, Version)
	}
	if len(block) < headerSize {
		return fmt.Errorf("event block: %w: %d bytes, the header has %d", ErrMalformed, len(block), headerSize)
	}
	get := binary.LittleEndian
	if sum, want := checksum(block), get.Uint32(block[checksumAt:]); sum != want {
		return fmt.Errorf("event block: %w: %08x, want %08x; the bytes were changed after the receiver wrote them", ErrChecksum, sum, want)
	}
	return r.openColumns(block)
}

var zeros [eventsAt - checksumAt]byte

// checksum is the CRC-32C of a block whose own checksum counts as 0.
func checksum(block []byte) uint32 {
	sum := crc32.Update(0, castagnoli, block[:checksumAt])
	sum = crc32.Update(sum, castagnoli, zeros[:])
	return crc32.Update(sum, castagnoli, block[eventsAt:])
}

func (r *Reader) openColumns(block []byte) error {
	get := binary.LittleEndian
	events, times, observed, sizes := get.Uint32(block[eventsAt:]), get.Uint32(block[timesAt:]), get.Uint32(block[observedAt:]), get.Uint32(block[sizesAt:])
	if events == 0 || events > MaxEvents {
		return fmt.Errorf("event block: %w: %d events, must be 1 to %d", ErrMalformed, events, MaxEvents)
	}
	rest := block[headerSize:]
	if uint64(events)*(1+channelSize)+uint64(times)+uint64(observed)+uint64(sizes) > uint64(len(rest)) {
		return fmt.Errorf("event block: %w: the columns of %d events are longer than the block of %d bytes", ErrMalformed, events, len(block))
	}
	first, arrival := get.Uint64(block[firstTimeAt:]), get.Uint64(block[firstObservedAt:])
	r.timeUnit, r.unit = unitOf(block[timeUnitAt]), unitOf(block[observedUnitAt])
	if r.timeUnit == 0 || r.unit == 0 || first > math.MaxInt64 || arrival > math.MaxInt64 || block[checksumAt-1] != 0 {
		return fmt.Errorf("event block: %w: a field of the header is out of range", ErrMalformed)
	}
	r.block, r.events, r.time, r.arrival = block, int(events), int64(first), int64(arrival)
	r.kinds = headerSize
	r.channels = r.kinds + r.events
	r.times = after(r.channels+r.events*channelSize, times)
	r.observed = after(r.times.end, observed)
	r.sizes = after(r.observed.end, sizes)
	r.details = column{r.sizes.end, len(block)}
	return nil
}

func after(at int, length uint32) column { return column{at, at + int(length)} }

// Remaining is the number of events that are to be read.
func (r *Reader) Remaining() int { return r.events - r.next }

// Err returns the error that ended the reading; nil: every event was read.
func (r *Reader) Err() error { return r.err }

// Next reads the next event. It returns false after the last one, and at an error. Events
// that were read before an error must not be counted.
func (r *Reader) Next(e *Event) bool {
	if !r.advance() {
		return false
	}
	i := r.next - 1
	bits := r.block[r.kinds+i]
	e.Time, e.Observed, e.Kind = r.time, r.arrival, Kind(bits&kindBits)
	e.Channel = binary.LittleEndian.Uint64(r.block[r.channels+i*channelSize:])
	switch {
	case !e.Kind.Message():
		if !r.lifecycle(e, bits) {
			return false
		}
	case bits&^kindBits == 0:
		e.Sized, e.Size = false, 0
	default:
		size, ok := r.number(&r.sizes)
		if !ok || size > math.MaxInt64 || bits&^kindBits != 1<<classShift {
			return r.fail("a size")
		}
		e.Sized, e.Size = true, int64(size)
	}
	return r.next < r.events || r.complete()
}

// lifecycle reads the details of an open or a close.
func (r *Reader) lifecycle(e *Event, bits byte) bool {
	closing, class := e.Kind == ConnectionClose, Class(bits&classBits>>classShift)
	if bits&^(kindBits|classBits) != 0 || class > Abnormal || !closing && class != 0 {
		return r.fail("a kind")
	}
	e.Class, e.HasCode, e.CloseCode, e.CloseReason = class, false, 0, nil
	ok := r.text(&e.ChannelID) && r.text(&e.UserID)
	if ok && closing {
		var code uint64
		code, ok = r.number(&r.details)
		if ok = ok && code <= math.MaxInt64; ok {
			e.HasCode, e.CloseCode = code > 0, int64(code)-1
			ok = r.text(&e.CloseReason)
		}
	}
	return ok || r.fail("the details of an open or a close")
}

// text reads a text with its length.
func (r *Reader) text(to *[]byte) bool {
	length, ok := r.number(&r.details)
	if !ok || length > uint64(r.details.end-r.details.at) { //nolint:gosec // not negative
		return false
	}
	end := r.details.at + int(length) //nolint:gosec // at most the block's length
	*to, r.details.at = r.block[r.details.at:end:end], end
	return true
}

// NextTimes reads the times of the next event and nothing else, as Next does. It is not
// mixed with Next.
func (r *Reader) NextTimes() (time, observed int64, ok bool) {
	if !r.advance() {
		return 0, 0, false
	}
	return r.time, r.arrival, true
}

// advance reads the times of the next event.
func (r *Reader) advance() bool {
	if r.next == r.events || r.err != nil {
		return false
	}
	r.next++
	if r.next == 1 {
		return true
	}
	time, ok := r.number(&r.times)
	arrival, also := r.number(&r.observed)
	if !ok || !also || !add(&r.time, time, r.timeUnit) || !add(&r.arrival, arrival, r.unit) {
		return r.fail("a time")
	}
	return true
}

// add adds a zigzag number of units to a time. It reports whether there is such a time.
func add(to *int64, zigzag uint64, unit int64) bool {
	difference := int64(zigzag>>1) ^ -int64(zigzag&1) //nolint:gosec // 63 bits, and one
	switch unit {
	case 1:
	case 1_000:
		if difference > math.MaxInt64/1_000 || difference < -math.MaxInt64/1_000 {
			return false
		}
	default:
		if difference > math.MaxInt64/1_000_000 || difference < -math.MaxInt64/1_000_000 {
			return false
		}
	}
	*to += difference * unit // less than 0 after an overflow: neither is more than MaxInt64
	return *to >= 0
}

// number reads a varint.
func (r *Reader) number(from *column) (uint64, bool) {
	text := r.block[from.at:from.end]
	if len(text) >= 4 { // most numbers are of one byte to three
		b0, b1, b2 := text[0], text[1], text[2]
		switch {
		case b0 < 0x80:
			from.at++
			return uint64(b0), true
		case b1 < 0x80:
			from.at += 2
			return uint64(b0&0x7f) | uint64(b1)<<7, true
		case b2 < 0x80:
			from.at += 3
			return uint64(b0&0x7f) | uint64(b1&0x7f)<<7 | uint64(b2)<<14, true
		}
	}
	value, n := binary.Uvarint(text)
	from.at += max(0, n)
	return value, n > 0
}

// complete reports whether the columns end with the last event.
func (r *Reader) complete() bool {
	for _, left := range []column{r.times, r.observed, r.sizes, r.details} {
		if left.at != left.end {
			return r.fail("bytes behind the last event")
		}
	}
	return true
}

func (r *Reader) fail(what string) bool {
	r.err = fmt.Errorf("event block: %w: %s, %d events before the end", ErrMalformed, what, r.Remaining())
	return false
}
