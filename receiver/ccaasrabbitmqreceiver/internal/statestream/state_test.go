// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package statestream

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func claim(writer byte) []byte { return (&Record{Claim: true, Writer: Writer{writer}}).Encode() }

// partSize replaces PartSize, so that checkpoints of several parts are small.
const partSize = 256

// checkpoint returns the encoded parts of a checkpoint.
func checkpoint(writer byte, number uint64, c Checkpoint) (parts [][]byte) {
	for _, r := range split(Writer{writer}, 1, number, c.Encode(), partSize) {
		parts = append(parts, r.Encode())
	}
	return parts
}

func values(pairs ...string) (changes []Change) {
	for i := 0; i < len(pairs); i += 2 {
		changes = append(changes, Change{pairs[i], []byte(pairs[i+1])})
	}
	return changes
}

func stateOf(records ...[]byte) *State {
	s := &State{}
	for _, r := range records {
		s.Add(r)
	}
	return s
}

func TestState_ChangesAndFull(t *testing.T) {
	t.Parallel()
	s := stateOf(claim(1))
	assert.False(t, s.Saved)
	for i, c := range []Checkpoint{
		{Position: Position{Next: 5, Last: 3, Hash: 9}, Changes: values("a", "1", "b", "2", "empty", "")},
		{Position: Position{Next: 7, Last: 6}, Changes: append(values("b", "3"), Change{Key: "a"})},
	} {
		s.Add(checkpoint(1, uint64(i), c)[0])
	}
	assert.Equal(t, map[string][]byte{"b": []byte("3"), "empty": {}}, s.Values)
	assert.Equal(t, Position{Next: 7, Last: 6}, s.Position)
	assert.Equal(t, len("b3empty"), s.Size())

	full := *s.Full()
	again := stateOf(checkpoint(1, 2, full)...) // what was before is deleted
	assert.Equal(t, s.Values, again.Values)
	assert.Equal(t, s.Position, again.Position)
	s.Add(checkpoint(1, 3, Checkpoint{Full: true, Changes: values("c", "4")})[0])
	assert.Equal(t, map[string][]byte{"c": []byte("4")}, s.Values)
}

func TestState_StaleOwnerHasNoEffect(t *testing.T) {
	t.Parallel()
	large := Checkpoint{Position: Position{Next: 9}, Changes: []Change{{"a", bytes.Repeat([]byte("x"), 3*partSize)}}}
	parts := checkpoint(1, 1, large)
	require.Len(t, parts, 4)
	before := checkpoint(1, 0, Checkpoint{Position: Position{Next: 1}, Changes: values("a", "1")})[0]

	s := stateOf(claim(1), before, parts[0], parts[1], claim(2), parts[2], parts[3])
	assert.Equal(t, []byte("1"), s.Values["a"], "its last part came after the claim of another")
	assert.Equal(t, uint64(2), s.Epoch)
	s.Add(checkpoint(1, 2, Checkpoint{Position: Position{Next: 10}, Changes: values("a", "stale")})[0])
	s.Add(checkpoint(2, 0, Checkpoint{Position: Position{Next: 11}, Changes: values("b", "2")})[0])
	assert.Equal(t, map[string][]byte{"a": []byte("1"), "b": []byte("2")}, s.Values)

	s = stateOf(append([][]byte{claim(1), before}, parts...)...)
	assert.Len(t, s.Values["a"], 3*partSize)
}

func TestState_IncompleteCheckpointHasNoEffect(t *testing.T) {
	t.Parallel()
	parts := checkpoint(1, 1, Checkpoint{Changes: []Change{{"a", bytes.Repeat([]byte("x"), 2*partSize)}}})
	other := checkpoint(1, 2, Checkpoint{Changes: []Change{{"b", bytes.Repeat([]byte("x"), 2*partSize)}}})
	assert.Empty(t, stateOf(claim(1), parts[0], parts[2]).Values)
	assert.Empty(t, stateOf(claim(1), parts[1], parts[2]).Values, "its first part was deleted")
	assert.Empty(t, stateOf(claim(1), parts[0], other[1], other[2]).Values)
	s := stateOf(claim(1), parts[0], parts[1], []byte("damaged"), parts[2])
	assert.Equal(t, 1, s.Damaged)
	assert.Contains(t, s.Values, "a", "a record of somebody else is between")
}

// For any interleaving of two writers, the state is that of the checkpoints that their writer wrote
// completely while it was the latest to claim the stream.
func TestState_AnyInterleaving(t *testing.T) {
	t.Parallel()
	type written struct {
		value       []byte
		name        string // of the checkpoint; empty for a claim
		first, last bool
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var queues [2][]written
		for w := range queues {
			for n := range 6 {
				if random.IntN(3) == 0 {
					queues[w] = append(queues[w], written{value: claim(byte(w + 1))})
				}
				name := fmt.Sprint(w, "/", n)
				parts := checkpoint(byte(w+1), uint64(n), Checkpoint{Changes: []Change{{name, make([]byte, random.IntN(3)*partSize)}}})
				for i, part := range parts {
					queues[w] = append(queues[w], written{part, name, i == 0, i == len(parts)-1})
				}
			}
		}
		s, want, owner, complete := stateOf(claim(9)), map[string]bool{}, -1, false
		for len(queues[0])+len(queues[1]) > 0 {
			w := random.IntN(2)
			if len(queues[w]) == 0 {
				w = 1 - w
			}
			next := queues[w][0]
			queues[w] = queues[w][1:]
			s.Add(next.value)
			switch {
			case next.name == "":
				owner, complete = w, false
			case w == owner:
				complete = complete || next.first
				if next.last && complete {
					want[next.name] = true
				}
				complete = complete && !next.last
			}
		}
		got := map[string]bool{}
		for key := range s.Values {
			got[key] = true
		}
		require.Equal(t, want, got)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(claim(1), claim(2))
	f.Add(claim(1), checkpoint(1, 0, Checkpoint{Position: Position{Next: 5, Last: 3}, Changes: append(values("a", "1"), Change{Key: "b"})})[0])
	f.Fuzz(func(_ *testing.T, first, second []byte) { stateOf(first, second) })
}

func FuzzCheckpoint(f *testing.F) {
	c := Checkpoint{Position: Position{Next: 5, Last: 3}, Changes: append(values("a", "1", "c", ""), Change{Key: "b"})}
	f.Add(c.Encode())
	f.Fuzz(func(t *testing.T, content []byte) {
		c, err := DecodeCheckpoint(content)
		if err != nil {
			return
		}
		again, err := DecodeCheckpoint(c.Encode())
		require.NoError(t, err)
		require.Equal(t, c, again)
	})
}
