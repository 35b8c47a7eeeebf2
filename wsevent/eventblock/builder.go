// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package eventblock

import (
	"encoding/binary"
	"hash/crc32"
)

// Builder collects the events of a block. Its memory is reused by the next one. The zero
// value is an empty block.
type Builder struct {
	rows    []row
	details []byte
}

// row is an event before it is encoded.
type row struct {
	time, observed int64
	channel        uint64
	size           int64
	from, to       uint32 // of its details
	bits           byte
}

// Reset drops all events.
func (b *Builder) Reset() { b.rows, b.details = b.rows[:0], b.details[:0] }

// Len is the number of events.
func (b *Builder) Len() int { return len(b.rows) }

// First returns the times of the first event, unix ns. There must be one.
func (b *Builder) First() (time, observed int64) { return b.rows[0].time, b.rows[0].observed }

// Add appends an event. A time that is negative is none, and a size that is negative is not
// known. The caller keeps the number of events below MaxEvents.
func (b *Builder) Add(e *Event) {
	r := row{time: max(0, e.Time), observed: max(0, e.Observed), channel: e.Channel, bits: byte(e.Kind)}
	switch {
	case !e.Kind.Message():
		r.bits |= b.lifecycle(&r, e)
	case e.Sized && e.Size >= 0:
		r.bits |= 1 << classShift
		r.size = e.Size
	}
	b.rows = append(b.rows, r)
}

// lifecycle adds the details of an open or a close.
func (b *Builder) lifecycle(r *row, e *Event) (bits byte) {
	r.from = uint32(len(b.details)) //nolint:gosec // a batch is smaller
	b.details = appendText(b.details, e.ChannelID)
	b.details = appendText(b.details, e.UserID)
	if e.Kind == ConnectionClose {
		code := uint64(0)
		if e.HasCode && e.CloseCode >= 0 {
			code = uint64(e.CloseCode) + 1
		}
		b.details = binary.AppendUvarint(b.details, code)
		b.details = appendText(b.details, e.CloseReason)
		bits = byte(e.Class) << classShift
	}
	r.to = uint32(len(b.details)) //nolint:gosec // a batch is smaller
	return bits
}

func appendText(to, text []byte) []byte {
	return append(binary.AppendUvarint(to, uint64(len(text))), text...)
}

// Remove removes events by their indexes, which are in ascending order.
func (b *Builder) Remove(indexes func(yield func(int) bool)) {
	kept, next := 0, 0
	for index := range indexes {
		kept += copy(b.rows[kept:], b.rows[next:index])
		next = index + 1
	}
	kept += copy(b.rows[kept:], b.rows[next:])
	b.rows = b.rows[:kept]
}

// Append appends the encoded block to some bytes. There must be an event.
func (b *Builder) Append(to []byte) []byte {
	begin := len(to)
	timeUnit, observedUnit := b.units()
	var header [headerSize]byte
	to = append(to, header[:]...)
	for i := range b.rows {
		to = append(to, b.rows[i].bits)
	}
	for i := range b.rows {
		to = binary.LittleEndian.AppendUint64(to, b.rows[i].channel)
	}
	times := len(to)
	to = b.appendTimes(to, unitOf(timeUnit))
	observed := len(to)
	to = b.appendObserved(to, unitOf(observedUnit))
	sizes := len(to)
	for i := range b.rows {
		if r := &b.rows[i]; Kind(r.bits&kindBits).Message() && r.bits&classBits != 0 {
			to = binary.AppendUvarint(to, uint64(r.size)) //nolint:gosec // not negative
		}
	}
	details := len(to)
	for i := range b.rows {
		to = append(to, b.details[b.rows[i].from:b.rows[i].to]...)
	}

	block := to[begin:]
	block[versionAt], block[timeUnitAt], block[observedUnitAt] = Version, timeUnit, observedUnit
	put := binary.LittleEndian
	put.PutUint32(block[eventsAt:], uint32(len(b.rows)))               //nolint:gosec // at most MaxEvents
	put.PutUint32(block[timesAt:], uint32(observed-times))             //nolint:gosec // ten bytes an event
	put.PutUint32(block[observedAt:], uint32(sizes-observed))          //nolint:gosec // the same
	put.PutUint32(block[sizesAt:], uint32(details-sizes))              //nolint:gosec // the same
	put.PutUint64(block[firstTimeAt:], uint64(b.rows[0].time))         //nolint:gosec // not negative
	put.PutUint64(block[firstObservedAt:], uint64(b.rows[0].observed)) //nolint:gosec // not negative
	put.PutUint32(block[checksumAt:], crc32.Checksum(block, castagnoli))
	return to
}

// appendTimes appends the differences between neighbouring times.
func (b *Builder) appendTimes(to []byte, unit int64) []byte {
	for i := 1; i < len(b.rows); i++ {
		to = appendDifference(to, b.rows[i-1].time, b.rows[i].time, unit)
	}
	return to
}

// appendObserved is appendTimes for times of arrival.
func (b *Builder) appendObserved(to []byte, unit int64) []byte {
	for i := 1; i < len(b.rows); i++ {
		to = appendDifference(to, b.rows[i-1].observed, b.rows[i].observed, unit)
	}
	return to
}

// appendDifference appends b - a; most are of one byte or two.
func appendDifference(to []byte, a, b, unit int64) []byte { return binary.AppendVarint(to, (b-a)/unit) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// units returns the largest units in which the differences of times are whole numbers.
func (b *Builder) units() (time, observed byte) {
	time, observed = millisecond, millisecond
	first := b.rows[0]
	for i := range b.rows {
		time = reduce(time, b.rows[i].time-first.time)
		observed = reduce(observed, b.rows[i].observed-first.observed)
		if time == nanosecond && observed == nanosecond {
			break
		}
	}
	return time, observed
}

func reduce(exponent byte, difference int64) byte {
	if exponent == millisecond && difference%1e6 != 0 {
		exponent = microsecond
	}
	if exponent == microsecond && difference%1e3 != 0 {
		exponent = nanosecond
	}
	return exponent
}
