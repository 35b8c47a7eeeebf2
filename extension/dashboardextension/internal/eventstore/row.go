// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package eventstore

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// MaxEvent is the maximum size in bytes of an encoded event. Batch.Add refuses larger ones.
const MaxEvent = 96 << 10

// Event is one event to store. The strings are what queries select by; JSON is what they return.
type Event struct {
	Time                              int64 // unix ns, event time
	Type, Tenant, Region, ChannelType string
	ChannelID                         string // empty for events that belong to no channel
	CloseReason                       string
	CloseCode                         int
	Abnormal, AbnormalKnown           bool
	// Anonymous is true for an event without an id: an equal one is another event, unless its group was sent
	// again. See Batch.EndGroup.
	Anonymous bool
	Observed  int64  // unix ns, 0: unknown; only to distinguish groups of anonymous events
	JSON      []byte // one object without line breaks
}

// Batch holds encoded events. The zero value is an empty batch.
type Batch struct {
	rows  []byte // each with its length before it
	times []int64

	group     int            // where the rows of the group begin
	anonymous bool           // the group has such events
	groups    map[uint64]int // how many groups of each hash there are
}

// errTooLarge is the error of an event above MaxEvent.
var errTooLarge = errors.New("the event is larger than an event may be")

// Add appends an event to the batch; the batch does not refer to it afterwards.
func (b *Batch) Add(e *Event) error {
	size := 8 + 1 + identitySize + binary.MaxVarintLen32*7 + len(e.Type) + len(e.Tenant) + len(e.Region) + len(e.ChannelType) + len(e.ChannelID) + len(e.CloseReason) + len(e.JSON)
	if size > MaxEvent {
		return errTooLarge
	}
	const prefix = 4 // the length, fixed, so that the row is written in place
	start := len(b.rows)
	r := b.rows
	r = append(r, 0, 0, 0, 0)
	r = binary.LittleEndian.AppendUint64(r, uint64(e.Time)) //nolint:gosec // the bits are kept
	var flags byte
	if e.AbnormalKnown {
		flags |= flagAbnormalKnown
	}
	if e.Abnormal {
		flags |= flagAbnormal
	}
	if e.Anonymous {
		flags |= flagIdentity
		b.anonymous = true
	}
	r = append(r, flags)
	if e.Anonymous { // until EndGroup
		r = binary.LittleEndian.AppendUint64(r, uint64(e.Observed)) //nolint:gosec // the bits are kept
	}
	r = binary.AppendUvarint(r, uint64(max(0, e.CloseCode))) //nolint:gosec // it is not negative
	for _, s := range [...]string{e.Type, e.Tenant, e.Region, e.ChannelType, e.ChannelID, e.CloseReason} {
		r = binary.AppendUvarint(r, uint64(len(s)))
		r = append(r, s...)
	}
	r = append(r, e.JSON...)
	binary.LittleEndian.PutUint32(r[start:], uint32(len(r)-start-prefix)) //nolint:gosec // MaxEvent
	b.rows = r
	b.times = append(b.times, e.Time)
	return nil
}

// EndGroup ends a group: the events since the last call, which a sender sends again together. Each anonymous one
// gets an identity, of a hash of the group and of its place in it. So equal events of a group, and of different
// groups, are different ones, while those of a group that is sent again are the same. Equal groups of one batch
// are different ones.
func (b *Batch) EndGroup() {
	group := b.rows[b.group:]
	b.group = len(b.rows)
	if !b.anonymous {
		return
	}
	b.anonymous = false
	hash := xxhash.Sum64(group)
	if b.groups == nil {
		b.groups = map[uint64]int{}
	}
	identity := hash + uint64(b.groups[hash])<<32 //nolint:gosec // it is not negative
	b.groups[hash]++
	for encoded, rest, ok := cutRow(group); ok; encoded, rest, ok = cutRow(rest) {
		if encoded[identityAt-1]&flagIdentity != 0 {
			binary.LittleEndian.PutUint64(encoded[identityAt:], identity)
		}
		identity++
	}
}

// Len is the number of events.
func (b *Batch) Len() int { return len(b.times) }

const (
	flagAbnormalKnown = 1 << iota
	flagAbnormal
	flagIdentity // eight bytes of identity follow
)

const (
	identityAt   = 9 // in an encoded event
	identitySize = 8
)

// row is an encoded event, taken apart. Its fields are parts of the encoded form.
type row struct {
	encoded []byte
	time    int64
	flags   byte
	code    uint64

	typ, tenant, region, channelType, channel, reason, json []byte
}

// decodeRow takes an encoded event apart; false if it is none.
func decodeRow(encoded []byte) (r row, ok bool) {
	if len(encoded) < 9 {
		return r, false
	}
	r.encoded = encoded
	r.time = int64(binary.LittleEndian.Uint64(encoded)) //nolint:gosec // the bits are kept
	r.flags = encoded[8] &^ flagIdentity                // it says nothing about the event
	rest := encoded[identityAt:]
	if encoded[8]&flagIdentity != 0 {
		if len(rest) < identitySize {
			return r, false
		}
		rest = rest[identitySize:]
	}
	code, n := binary.Uvarint(rest)
	if n <= 0 {
		return r, false
	}
	r.code, rest = code, rest[n:]
	for _, field := range [...]*[]byte{&r.typ, &r.tenant, &r.region, &r.channelType, &r.channel, &r.reason} {
		length, n := binary.Uvarint(rest)
		if n <= 0 || length > uint64(len(rest)-n) {
			return r, false
		}
		*field, rest = rest[n:n+int(length)], rest[n+int(length):] //nolint:gosec // it is at most len(rest)
	}
	r.json = rest
	return r, true
}

// cutRow splits the first row off rows, which are each preceded by their length; false if there is none.
func cutRow(rows []byte) (encoded, rest []byte, ok bool) {
	if len(rows) < 4 {
		return nil, nil, false
	}
	n := binary.LittleEndian.Uint32(rows)
	if n > MaxEvent || int(n) > len(rows)-4 {
		return nil, nil, false
	}
	return rows[4 : 4+n : 4+n], rows[4+n:], true
}

// prefixed appends an encoded event, preceded by its length.
func prefixed(to, encoded []byte) []byte {
	to = binary.LittleEndian.AppendUint32(to, uint32(len(encoded))) //nolint:gosec // MaxEvent
	return append(to, encoded...)
}

// key orders events, newest first by time. Events of one time are ordered by a hash of their content and
// identity, so that an event has the same place wherever it is stored, and two copies of one event have the same key.
type key struct {
	time int64
	hash uint64
}

func (r *row) key() key { return key{r.time, xxhash.Sum64(r.encoded)} }

func (k key) less(other key) bool {
	return k.time < other.time || k.time == other.time && k.hash < other.hash
}

var lowestKey = key{time: math.MinInt64}

// channelHash is what blocks find channels by; 0 for events of no channel.
func channelHash[T string | []byte](channel T) uint32 {
	if len(channel) == 0 {
		return 0
	}
	return max(1, uint32(xxhash.Sum64String(string(channel))>>32)) //nolint:gosec // the upper half
}

// knownTypes have a bit of their own in a block's set of types.
var knownTypes = [...]string{
	"connection.open", "connection.close", "message.send", "message.receive",
	"stream.connected", "stream.disconnected", "stream.gap", "stream.backpressure", "stream.alive", "protocol.violation",
	"clock.skew", "clock.drift", "alert.firing", "alert.resolved", "ws_session", "",
}

const abnormalBit = 1 << 63

// typeBit is the bit of a type; rare ones share some.
func typeBit[T string | []byte](typ T) uint64 {
	for i, known := range knownTypes {
		if string(typ) == known {
			return 1 << i
		}
	}
	return 1 << (16 + xxhash.Sum64String(string(typ))%32)
}

// tenantBit is the bit of a tenant.
func tenantBit[T string | []byte](tenant T) uint64 {
	return 1 << (xxhash.Sum64String(string(tenant)) % 64)
}

// Query selects events. Empty strings and nil select all.
type Query struct {
	Start, End                  int64 // unix ns; from Start up to but without End
	Types                       []string
	Tenant, Region, ChannelType string
	ChannelID                   string
	Abnormal                    *bool // true: abnormal closes; false: closes that are not
}

// masks are what a block needs at least one bit of each of to hold selected events.
func (q *Query) masks() (types, tenants uint64) {
	types, tenants = math.MaxUint64, math.MaxUint64
	if len(q.Types) > 0 {
		types = 0
		for _, t := range q.Types {
			types |= typeBit(t)
		}
	}
	if q.Abnormal != nil && *q.Abnormal {
		types = abnormalBit
	}
	if q.Tenant != "" {
		tenants = tenantBit(q.Tenant)
	}
	return types, tenants
}

// selects reports whether a row is selected.
func (q *Query) selects(r *row) bool {
	return r.time >= q.Start && r.time < q.End &&
		(q.ChannelID == "" || string(r.channel) == q.ChannelID) &&
		(q.Tenant == "" || string(r.tenant) == q.Tenant) &&
		(q.Region == "" || string(r.region) == q.Region) &&
		(q.ChannelType == "" || string(r.channelType) == q.ChannelType) &&
		q.selectsType(r) && q.selectsAbnormal(r)
}

func (q *Query) selectsType(r *row) bool {
	return len(q.Types) == 0 || slices.ContainsFunc(q.Types, func(t string) bool { return string(r.typ) == t })
}

func (q *Query) selectsAbnormal(r *row) bool {
	if q.Abnormal == nil {
		return true
	}
	return r.flags&flagAbnormalKnown != 0 && (r.flags&flagAbnormal != 0) == *q.Abnormal
}
