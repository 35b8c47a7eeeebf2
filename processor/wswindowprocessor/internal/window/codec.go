// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// A piece of saved state is sealed: one byte of version, the checksum of all
// behind it, and its content. Numbers are varints, strings have their length.

// stateVersion is the version of the content. A reader takes its own and the older
// ones.
const stateVersion = versionRetired

const (
	versionFirst    = 1
	versionSigns    = 2 // a stream knows of the life of its receiver
	versionUnknown  = 3 // counts of messages without a size and of closes that are not classified
	versionObserved = 4 // a stream knows when its events were observed, and from where; a channel what its latest sign was
	versionRetired  = 5 // a series may be retired, the number of a stream vacant
)

const sealSize = 1 + crc32.Size

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal closes a piece that was begun with newPiece.
func seal(piece []byte) []byte {
	piece[0] = stateVersion
	binary.LittleEndian.PutUint32(piece[1:], crc32.Checksum(piece[sealSize:], castagnoli))
	return piece
}

// Seal closes what the caller wants to keep beside the pieces, in the same way.
func Seal(content []byte) []byte { return seal(append(newPiece(), content...)) }

// Unseal checks a sealed piece and gives its content.
func Unseal(piece []byte) ([]byte, error) {
	r, err := unseal(piece)
	if err != nil {
		return nil, err
	}
	return r.rest, nil
}

func newPiece() []byte { return make([]byte, sealSize, 256) }

// unseal checks a piece and gives a reader of its content.
func unseal(piece []byte) (*reader, error) {
	switch {
	case len(piece) < sealSize:
		return nil, fmt.Errorf("is cut off: %d bytes", len(piece))
	case piece[0] < versionFirst || piece[0] > stateVersion:
		return nil, fmt.Errorf("has version %d, this collector reads %d to %d", piece[0], versionFirst, stateVersion)
	case binary.LittleEndian.Uint32(piece[1:]) != crc32.Checksum(piece[sealSize:], castagnoli):
		return nil, errors.New("is damaged: the checksum is wrong")
	}
	return &reader{version: piece[0], rest: piece[sealSize:]}, nil
}

func putInt(to []byte, n int64) []byte   { return binary.AppendVarint(to, n) }
func putUint(to []byte, n uint64) []byte { return binary.AppendUvarint(to, n) }

func putBool(to []byte, b bool) []byte {
	if b {
		return append(to, 1)
	}
	return append(to, 0)
}

func putString(to []byte, s string) []byte {
	return append(binary.AppendUvarint(to, uint64(len(s))), s...)
}

func putFloat(to []byte, f float64) []byte {
	return binary.LittleEndian.AppendUint64(to, math.Float64bits(f))
}

func putCounts(to []byte, c *wsevent.Counts) []byte {
	for _, n := range numbers(c) {
		to = putInt(to, *n)
	}
	return to
}

// numbers are the counts in the order in which they are saved. A version that has
// more of them has them at the end.
func numbers(c *wsevent.Counts) [11]*int64 {
	return [...]*int64{
		&c.MessagesSent, &c.MessagesReceived, &c.PayloadBytes, &c.ConnectionsOpened, &c.ConnectionsClosed,
		&c.ConnectionsDropped, &c.BackpressureEvents, &c.ProtocolViolations, &c.LateEvents,
		&c.MessagesUnsized, &c.ClosesUnclassified,
	}
}

// numbersBeforeUnknown is how many there were before versionUnknown.
const numbersBeforeUnknown = 9

// reader reads what the put functions wrote. The first failure stays, and
// everything read behind it is zero.
type reader struct {
	version byte
	rest    []byte
	failed  bool
}

func (r *reader) err() error {
	switch {
	case r.failed:
		return errors.New("does not hold what it should")
	case len(r.rest) > 0:
		return fmt.Errorf("holds %d bytes too many", len(r.rest))
	default:
		return nil
	}
}

func (r *reader) step(n int) bool {
	if n <= 0 || n > len(r.rest) {
		r.failed, r.rest = true, nil
		return false
	}
	r.rest = r.rest[n:]
	return true
}

func (r *reader) int() int64 {
	n, size := binary.Varint(r.rest)
	if !r.step(size) {
		return 0
	}
	return n
}

func (r *reader) uint() uint64 {
	n, size := binary.Uvarint(r.rest)
	if !r.step(size) {
		return 0
	}
	return n
}

// length reads how many things follow, each of which takes at least a byte.
func (r *reader) length() int {
	n := r.uint()
	if n > uint64(len(r.rest)) {
		r.failed, r.rest = true, nil
		return 0
	}
	return int(n)
}

// index reads a small number.
func (r *reader) index() int {
	n := r.uint()
	if n > math.MaxInt32 {
		r.failed, r.rest = true, nil
		return 0
	}
	return int(n)
}

func (r *reader) bool() bool {
	if len(r.rest) == 0 {
		r.failed = true
		return false
	}
	b := r.rest[0]
	r.step(1)
	return b == 1
}

func (r *reader) string() string {
	n := r.length()
	if n == 0 {
		return ""
	}
	s := string(r.rest[:n])
	r.step(n)
	return s
}

func (r *reader) float() float64 {
	if len(r.rest) < 8 {
		r.failed, r.rest = true, nil
		return 0
	}
	f := math.Float64frombits(binary.LittleEndian.Uint64(r.rest))
	r.step(8)
	return f
}

func (r *reader) counts() (c wsevent.Counts) {
	all := numbers(&c)
	saved := all[:]
	if r.version < versionUnknown {
		saved = all[:numbersBeforeUnknown]
	}
	for _, n := range saved {
		if *n = r.int(); *n < 0 {
			*n = math.MaxInt64 // an older version's sum, past its limit
		}
	}
	if r.version < versionUnknown {
		assumeUnknown(&c)
	}
	return c
}

// assumeUnknown completes counts of a version that took what is unknown for 0. A 0 is
// now unknown until the next message with a size, or close that is classified.
func assumeUnknown(c *wsevent.Counts) {
	if c.PayloadBytes == 0 {
		c.MessagesUnsized = c.Messages()
	}
	if c.ConnectionsDropped == 0 {
		c.ClosesUnclassified = c.ConnectionsClosed
	}
}
