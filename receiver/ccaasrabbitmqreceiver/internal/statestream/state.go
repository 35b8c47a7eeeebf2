// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package statestream

import "slices"

// State is what the records of a stream amount to, as they are read in order. Its zero
// value is that of an empty stream.
type State struct {
	Owner    Writer
	Epoch    uint64 // number of claims
	Position Position
	Saved    bool // there is a checkpoint
	Values   map[string][]byte

	Damaged int // records that are not valid

	claimed bool
	parts   uint64 // of the checkpoint that is incomplete
	number  uint64
	content []byte
}

// Size returns the number of bytes of the keys and values.
func (s *State) Size() (n int) {
	for key, value := range s.Values {
		n += len(key) + len(value)
	}
	return n
}

// Add adds the next record. Where the records before it were deleted, the first part of a
// checkpoint that holds all values is the start.
func (s *State) Add(value []byte) {
	r, err := Decode(value)
	switch {
	case err != nil:
		s.Damaged++
	case r.Claim:
		s.Owner, s.claimed = r.Writer, true
		s.Epoch++
		s.parts, s.content = 0, nil
	case !s.claimed && r.Part == 0:
		s.Owner, s.Epoch, s.claimed = r.Writer, r.Epoch, true
		s.add(&r)
	case r.Writer == s.Owner:
		s.add(&r)
	}
}

// add adds a part of the owner.
func (s *State) add(r *Record) {
	switch {
	case r.Part == 0:
		s.parts, s.number, s.content = 1, r.Checkpoint, r.Content
	case s.parts == r.Part && s.number == r.Checkpoint:
		s.parts++
		s.content = append(slices.Clip(s.content), r.Content...)
	default:
		s.parts, s.content = 0, nil
		return
	}
	if s.parts < r.Parts {
		return
	}
	c, err := DecodeCheckpoint(s.content)
	s.parts, s.content = 0, nil
	if err != nil {
		s.Damaged++
		return
	}
	s.Apply(&c)
}

// Apply adds a complete checkpoint.
func (s *State) Apply(c *Checkpoint) {
	if c.Full || s.Values == nil {
		s.Values = make(map[string][]byte, len(c.Changes))
	}
	for _, change := range c.Changes {
		if change.Value == nil {
			delete(s.Values, change.Key)
		} else {
			s.Values[change.Key] = change.Value
		}
	}
	s.Position, s.Saved = c.Position, true
}

// Full returns a checkpoint of all values.
func (s *State) Full() *Checkpoint {
	c := &Checkpoint{Full: true, Position: s.Position}
	for key, value := range s.Values {
		c.Changes = append(c.Changes, Change{key, value})
	}
	return c
}
