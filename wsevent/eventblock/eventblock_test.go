// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package eventblock

import (
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// 2024-05-13T18:03:20.123Z, and when it arrived.
const (
	platformTime = 1_715_623_400_123_000_000
	arrivalTime  = 1_715_623_400_160_250_000
)

// example is the example of docs/event-blocks.md.
func example() []Event {
	id := []byte("3f2504e0")
	return []Event{
		{Kind: ConnectionOpen, Time: platformTime, Observed: arrivalTime, Channel: Hash(id), ChannelID: id, UserID: []byte("u-17")},
		{Kind: MessageReceive, Time: platformTime + 500e6, Observed: arrivalTime + 500_040_000, Channel: Hash(id), Sized: true, Size: 512},
		{
			Kind: ConnectionClose, Class: Abnormal, Time: platformTime + 1200e6, Observed: arrivalTime + 1_200_010_000, Channel: Hash(id),
			ChannelID: id, UserID: []byte("u-17"), HasCode: true, CloseCode: 1006, CloseReason: []byte("transport.failure"),
		},
	}
}

func build(events ...Event) *Builder {
	b := &Builder{}
	for i := range events {
		b.Add(&events[i])
	}
	return b
}

func read(t testing.TB, block []byte) []Event {
	t.Helper()
	var r Reader
	require.NoError(t, r.Open(block))
	events := make([]Event, 0, r.Remaining())
	for e := (Event{}); r.Next(&e); e = (Event{}) {
		events = append(events, e)
	}
	require.NoError(t, r.Err())
	return events
}

func randomTime(r *rand.Rand, unit int64) int64 {
	switch r.IntN(20) {
	case 0:
		return 0
	case 1:
		return r.Int64()
	default:
		return platformTime/unit*unit + r.Int64N(2000)*unit
	}
}

func randomText(r *rand.Rand) []byte { return []byte(strings.Repeat("x", r.IntN(200))) }

func randomEvents(r *rand.Rand) []Event {
	events := make([]Event, 1+r.IntN(50))
	units := []int64{1, 1e3, 1e6}
	unit, observedUnit := units[r.IntN(3)], units[r.IntN(3)]
	for i := range events {
		e := Event{Kind: Kind(r.IntN(4)), Time: randomTime(r, unit), Observed: randomTime(r, observedUnit), Channel: r.Uint64() >> r.IntN(64)}
		switch e.Kind {
		case MessageSend, MessageReceive:
			if e.Sized = r.IntN(3) > 0; e.Sized {
				e.Size = r.Int64() >> r.IntN(63)
			}
		case ConnectionClose:
			e.Class = Class(r.IntN(3))
			if e.HasCode = r.IntN(2) > 0; e.HasCode {
				e.CloseCode = r.Int64N(65536)
			} else {
				e.CloseCode = -1
			}
			e.CloseReason = randomText(r)
			fallthrough
		case ConnectionOpen:
			e.ChannelID, e.UserID = randomText(r), randomText(r)
		}
		events[i] = e
	}
	return events
}

// normal makes equal what a block does not distinguish.
func normal(events []Event) []Event {
	for i := range events {
		e := &events[i]
		if !e.HasCode {
			e.CloseCode = 0
		}
		for _, text := range []*[]byte{&e.ChannelID, &e.UserID, &e.CloseReason} {
			if len(*text) == 0 {
				*text = nil
			}
		}
	}
	return events
}

func TestBlock_RoundTrip(t *testing.T) {
	t.Parallel()
	b := &Builder{}
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // reproducible
		events := randomEvents(r)
		b.Reset()
		for i := range events {
			b.Add(&events[i])
		}
		removed := map[int]bool{}
		for range r.IntN(4) {
			removed[r.IntN(len(events))] = true
		}
		want := []Event{}
		b.Remove(func(yield func(int) bool) {
			for i := range events {
				if removed[i] && !yield(i) {
					return
				}
			}
		})
		for i := range events {
			if !removed[i] {
				want = append(want, events[i])
			}
		}
		require.Equal(t, len(want), b.Len())
		if len(want) == 0 {
			continue
		}
		block := b.Append([]byte("before"))[len("before"):]
		require.Equal(t, normal(want), normal(read(t, block)), "seed %d", seed)

		var times Reader
		require.NoError(t, times.Open(block))
		for i := range want {
			at, observed, ok := times.NextTimes()
			require.True(t, ok)
			require.Equal(t, [2]int64{want[i].Time, want[i].Observed}, [2]int64{at, observed})
		}
		_, _, ok := times.NextTimes()
		require.False(t, ok)
		require.NoError(t, times.Err())
	}
}

func TestBlock_Size(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // reproducible
	b := &Builder{}
	for i := range int64(1000) {
		b.Add(&Event{
			Kind: MessageSend, Time: platformTime + i*1e6, Observed: arrivalTime + i*1e6 + r.Int64N(1e5), Channel: r.Uint64(), Sized: true, Size: r.Int64N(2000),
		})
	}
	assert.Less(t, len(b.Append(nil)), 20*1000)
}

// No event of a block that was changed is used.
func TestReader_ChangedBytes(t *testing.T) {
	t.Parallel()
	block := build(example()...).Append(nil)
	var r Reader
	for i := range block {
		for bit := range 8 {
			changed := slices.Clone(block)
			changed[i] ^= 1 << bit
			require.Error(t, r.Open(changed), "byte %d", i)
		}
		require.Error(t, r.Open(block[:i]), "the first %d bytes", i)
	}
	require.ErrorIs(t, r.Open(append(slices.Clone(block), 0)), ErrChecksum)
}

func TestReader_Errors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(block []byte) []byte
		reason string
		want   string
	}{
		"empty":           {func([]byte) []byte { return nil }, "malformed", "it is empty"},
		"another version": {func(block []byte) []byte { block[0] = 2; return block }, "version", "2, this collector reads 1; update it"},
		"short":           {func(block []byte) []byte { return block[:20] }, "malformed", "20 bytes, the header has 40"},
		"checksum":        {func(block []byte) []byte { block[checksumAt]++; return block }, "checksum", "the bytes were changed"},
		"no events": {func(block []byte) []byte {
			binary.LittleEndian.PutUint32(block[eventsAt:], 0)
			return sealed(block)
		}, "malformed", "0 events, must be 1 to 1048576"},
		"too many events": {func(block []byte) []byte {
			binary.LittleEndian.PutUint32(block[eventsAt:], MaxEvents+1)
			return sealed(block)
		}, "malformed", "1048577 events"},
		"columns that are too long": {func(block []byte) []byte {
			binary.LittleEndian.PutUint32(block[timesAt:], math.MaxUint32)
			return sealed(block)
		}, "malformed", "the columns of 3 events are longer than the block"},
		"an unknown unit": {func(block []byte) []byte { block[timeUnitAt] = 9; return sealed(block) }, "malformed", "a field of the header is out of range"},
		"a negative time": {func(block []byte) []byte { block[firstTimeAt+7] = 0xff; return sealed(block) }, "malformed", "a field of the header is out of range"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := new(Reader).Open(test.change(build(example()...).Append(nil)))
			require.ErrorContains(t, err, test.want)
			assert.Equal(t, test.reason, Reason(err))
		})
	}
}

func TestReader_ErrorsInColumns(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(block []byte) []byte
		want   string
	}{
		"a kind with unknown bits":    {func(block []byte) []byte { block[headerSize] |= 0x80; return block }, "a kind, 2 events before the end"},
		"an open with a class":        {func(block []byte) []byte { block[headerSize] |= 0x04; return block }, "a kind, 2"},
		"a message with unknown bits": {func(block []byte) []byte { block[headerSize+1] |= 0x80; return block }, "a size, 1"},
		"a close with a fourth class": {func(block []byte) []byte { block[headerSize+2] |= 0x0c; return block }, "a kind, 0"},
		"bytes behind the last event": {func(block []byte) []byte { return append(block, 0) }, "bytes behind the last event, 0"},
		"details that are cut":        {func(block []byte) []byte { return block[:len(block)-1] }, "the details of an open or a close, 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var r Reader
			require.NoError(t, r.Open(sealed(test.change(build(example()...).Append(nil)))))
			for e := (Event{}); r.Next(&e); {
			}
			require.ErrorContains(t, r.Err(), test.want)
			require.ErrorIs(t, r.Err(), ErrMalformed)
			assert.False(t, r.Next(&Event{}), "after an error there is no event")
		})
	}
}

// sealed gives a block the checksum of its content.
func sealed(block []byte) []byte {
	if len(block) >= headerSize {
		binary.LittleEndian.PutUint32(block[checksumAt:], 0)
		binary.LittleEndian.PutUint32(block[checksumAt:], crc32.Checksum(block, castagnoli))
	}
	return block
}

func TestBuilder_NegativeValuesAreUnknown(t *testing.T) {
	t.Parallel()
	got := read(t, build(Event{Kind: MessageSend, Time: -1, Observed: -5, Sized: true, Size: -1}).Append(nil))
	assert.Equal(t, []Event{{Kind: MessageSend}}, got)
}

func TestHash(t *testing.T) {
	t.Parallel()
	assert.Zero(t, Hash(nil))
	assert.Zero(t, HashString(""))
	assert.Equal(t, uint64(0xd24ec4f1a98c6e5b), Hash([]byte("a")), "a test vector of XXH64")
	assert.Equal(t, Hash([]byte("3f2504e0")), HashString("3f2504e0"))
}

// The example of the documentation is what the code writes and reads.
func TestExampleOfTheDocumentation(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/event-blocks.md")
	require.NoError(t, err)
	fence := regexp.MustCompile("(?s)```hex\n(.*?)```").FindSubmatch(text)
	require.NotNil(t, fence, "docs/event-blocks.md has no example")
	var digits strings.Builder
	for line := range strings.Lines(string(fence[1])) {
		digits.WriteString(strings.Join(strings.Fields(strings.SplitN(line, "#", 2)[0]), ""))
	}
	block, err := hex.DecodeString(digits.String())
	require.NoError(t, err)
	assert.Equal(t, hex.EncodeToString(build(example()...).Append(nil)), hex.EncodeToString(block))
	assert.Equal(t, normal(example()), normal(read(t, block)))
}

func FuzzReader(f *testing.F) {
	f.Add(build(example()...).Append(nil))
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 3)) //nolint:gosec // reproducible
		f.Add(build(randomEvents(r)...).Append(nil))
	}
	f.Fuzz(func(t *testing.T, block []byte) {
		block = slices.Clone(block)
		if len(block) > 0 {
			block[0] = Version
		}
		block = sealed(block)
		var r Reader
		if r.Open(block) != nil {
			require.False(t, r.Next(&Event{}))
			return
		}
		count := r.Remaining()
		require.LessOrEqual(t, count*(1+channelSize), len(block))
		var events []Event
		for e := (Event{}); r.Next(&e); e = (Event{}) {
			require.GreaterOrEqual(t, e.Time, int64(0))
			require.GreaterOrEqual(t, e.Observed, int64(0))
			require.GreaterOrEqual(t, e.Size, int64(0))
			events = append(events, e)
		}
		if r.Err() != nil {
			require.ErrorIs(t, r.Err(), ErrMalformed)
			return
		}
		require.Len(t, events, count)
		require.Equal(t, normal(events), normal(read(t, build(events...).Append(nil))), "what was read is written again")
	})
}

func benchmarkBuilder() *Builder {
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // reproducible
	b := &Builder{}
	for i := range int64(1000) {
		b.Add(&Event{
			Kind: MessageSend, Time: platformTime + i*1e6, Observed: arrivalTime + i*1e6 + r.Int64N(1e5), Channel: r.Uint64(), Sized: true, Size: r.Int64N(2000),
		})
	}
	return b
}

func BenchmarkAppend(b *testing.B) {
	builder := benchmarkBuilder()
	var block []byte
	b.ReportAllocs()
	for b.Loop() {
		block = builder.Append(block[:0])
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*builder.Len()), "ns/event")
	b.ReportMetric(float64(len(block))/float64(builder.Len()), "B/event")
}

func BenchmarkNext(b *testing.B) {
	builder := benchmarkBuilder()
	block := builder.Append(nil)
	b.ReportAllocs()
	for b.Loop() {
		var r Reader
		if r.Open(block) != nil {
			b.Fatal(r.Err())
		}
		for e := (Event{}); r.Next(&e); {
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*builder.Len()), "ns/event")
}

func BenchmarkNextTimes(b *testing.B) {
	builder := benchmarkBuilder()
	block := builder.Append(nil)
	b.ReportAllocs()
	for b.Loop() {
		var r Reader
		if r.Open(block) != nil {
			b.Fatal(r.Err())
		}
		for ok := true; ok; {
			_, _, ok = r.NextTimes()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*builder.Len()), "ns/event")
}
