// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package statelog

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

// A reader of the topic finds the values that a writer, and a second one that resumes
// after it, have set, changed and deleted, whether or not the topic has been compacted.
func TestSnapshot_HoldsWhatWasWritten(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		want := map[string][]byte{}
		var topic []Record
		var layout Writer
		for range 40 {
			name := fmt.Sprintf("piece/%d", random.IntN(5))
			if random.IntN(4) == 0 {
				topic = append(topic, layout.Delete(name)...)
				delete(want, name)
			} else {
				value := bytes.Repeat([]byte{byte(random.IntN(256))}, random.IntN(3*ChunkSize))
				topic = append(topic, layout.Set(name, value)...)
				want[name] = value
			}
			if random.IntN(10) == 0 { // another writer begins with what it reads
				layout = Writer{}
				set := read(topic)
				for name := range want {
					set.Take(&layout, name)
				}
			}
			if random.IntN(10) == 0 {
				topic = compacted(topic)
			}
		}
		set := read(topic)
		for i := range 5 {
			name := fmt.Sprintf("piece/%d", i)
			got := set.Take(new(Writer), name)
			assert.Truef(t, bytes.Equal(want[name], got), "seed %d: %s: %d bytes, want %d", seed, name, len(got), len(want[name]))
			assert.Nil(t, set.Take(new(Writer), name), "a value is returned once")
		}
		assert.Emptyf(t, set.values, "seed %d: nothing is left behind", seed)
	}
}

func read(topic []Record) *Snapshot {
	var set Snapshot
	for _, record := range topic {
		set.Add(record)
	}
	return &set
}

func compacted(topic []Record) (kept []Record) {
	latest := map[string]int{}
	for i, record := range topic {
		latest[string(record.Key)] = i
	}
	for i, record := range topic {
		if latest[string(record.Key)] == i && record.Value != nil {
			kept = append(kept, record)
		}
	}
	return kept
}

func TestWriter_RecordsAreBounded(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, ChunkSize - 1, ChunkSize, ChunkSize + 1, 5 * ChunkSize} {
		for _, record := range new(Writer).Set("piece", make([]byte, size)) {
			assert.LessOrEqual(t, len(record.Value), ChunkSize+binary.MaxVarintLen64)
			assert.NotEmpty(t, record.Value, "a record without a value would delete the chunk")
		}
	}
}

// What exceeds the bound is dropped, and not the position; a value that is replaced or deleted
// makes room.
func TestSnapshot_Bounded(t *testing.T) {
	t.Parallel()
	set := Snapshot{Keep: "position", max: 100}
	add := func(name string, size int) {
		for _, record := range new(Writer).Set(name, make([]byte, size)) {
			set.Add(record)
		}
	}
	add("a", 40)
	add("a", 50)
	add("b", 60)
	add("position", 8)
	add("position", 9)
	assert.Equal(t, 1, set.Dropped)
	set.Add(Record{Key: chunkKey("a", 0)})
	add("b", 60)
	add("b", 90)
	assert.Equal(t, 2, set.Dropped)
	assert.Nil(t, set.Take(new(Writer), "a"))
	assert.Nil(t, set.Take(new(Writer), "b"), "a value before the dropped one is not used")
	assert.Len(t, set.Take(new(Writer), "position"), 9)
}

func FuzzTake(f *testing.F) {
	f.Add([]byte{3, 'a'}, []byte("b"), []byte("c"))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, []byte("b"), []byte{})
	f.Add([]byte{0xff}, []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, first, second, third []byte) {
		var set Snapshot
		for i, value := range [][]byte{first, second, third} {
			set.Add(Record{Key: chunkKey("piece", i), Value: value})
		}
		got := set.Take(new(Writer), "piece")
		assert.LessOrEqual(t, len(got), len(first)+len(second)+len(third))
	})
}
