// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
)

// What else an id identifies: see traffic.ID.Other.
const (
	ConversationID uint64 = iota + 1
	AgentLegID
	CommunicationID
	MediaID
	CustomerID
	ThreadID
	TraceID
	EnvelopeID
	AgainID
	CorrelationID
)

// AppendISO writes a time (unix nanoseconds) as ISO 8601, to the millisecond.
func AppendISO(to []byte, at int64) []byte {
	return time.Unix(0, at).UTC().AppendFormat(to, "2006-01-02T15:04:05.000Z")
}

// AppendUUID writes an identity as a version 4 UUID.
func AppendUUID(to []byte, id traffic.ID) []byte {
	first, second := hex8(uint32(id.High>>32)), hex8(uint32(id.High&^0xf000|0x4000))
	third, fourth := hex8(uint32(id.Low>>32&^(0b11<<30)|0b10<<30)), hex8(uint32(id.Low))
	to = binary.BigEndian.AppendUint64(to, first)
	to = binary.BigEndian.AppendUint32(append(to, '-'), uint32(second>>32))
	to = binary.BigEndian.AppendUint32(append(to, '-'), uint32(second))
	to = binary.BigEndian.AppendUint32(append(to, '-'), uint32(third>>32))
	to = binary.BigEndian.AppendUint32(append(to, '-'), uint32(third))
	return binary.BigEndian.AppendUint64(to, fourth)
}

// AppendUser writes a user's id, 12 hex digits.
func AppendUser(to []byte, user uint64) []byte {
	to = binary.BigEndian.AppendUint64(to, hex8(uint32(user)))
	return binary.BigEndian.AppendUint32(to, uint32(hex8(uint32(user>>32))))
}

// hex8 is a number in 8 hex digits, the first in the highest byte. Ids are two
// thirds of what an event costs to encode, so all digits are made at once: each
// nibble is spread to a byte of its own, then lifted to '0' or to 'a' - 10.
func hex8(number uint32) uint64 {
	const ones = 0x0101010101010101
	spread := uint64(number)
	spread = spread&0xffff0000<<16 | spread&0xffff
	spread = spread&0x0000ff000000ff00<<8 | spread&0x000000ff000000ff
	spread = spread&0x00f000f000f000f0<<4 | spread&0x000f000f000f000f
	messages := (spread + 6*ones) >> 4 & ones
	return spread + '0'*ones + messages*('a'-10-'0')
}

// Quoted is a string as JSON.
func Quoted(s string) []byte {
	encoded, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always encodes
	}
	return encoded
}

// Directory lists the queues and agents of the contact centre, by id.
type Directory struct {
	Queues []string
	Agents []string
}

// NewDirectory makes the ids of queues and agents.
func NewDirectory(queues, agents int, random *rand.Rand) *Directory {
	ids := func(count int) []string {
		all := make([]string, count)
		for n := range all {
			all[n] = string(AppendUUID(nil, traffic.NewID(random)))
		}
		return all
	}
	return &Directory{Queues: ids(queues), Agents: ids(agents)}
}

// QueueIndex is the index of the queue that a session waits in.
func (d *Directory) QueueIndex(channel traffic.ID) int {
	return int(channel.Low % uint64(len(d.Queues)))
}

// AgentIndex is the index of the agent who serves a user.
func (d *Directory) AgentIndex(user uint64) int { return int(user % uint64(len(d.Agents))) }

// Agent is the id of the agent who serves a user.
func (d *Directory) Agent(user uint64) string { return d.Agents[d.AgentIndex(user)] }
