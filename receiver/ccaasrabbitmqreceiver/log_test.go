// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaasrabbitmqreceiver

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaasrabbitmqreceiver/internal/statestream"
)

func TestPositions_IdentityIsThatOfTheMessageBefore(t *testing.T) {
	t.Parallel()
	var l partitionLog
	for next := range int64(10) {
		l.read(statestream.Position{Next: next, Last: next - 1, Hash: uint64(next)})
	}
	assert.Equal(t, statestream.Position{Next: 4, Last: 3, Hash: 4}, l.identity(4))
	assert.Len(t, l.positions, 6, "those before are dropped")
	assert.Equal(t, statestream.Position{Next: 4, Last: 3, Hash: 4}, l.identity(4), "it is saved again")
	assert.Equal(t, statestream.Position{Next: 99, Last: -1}, l.identity(99), "an unknown one has no message")
}

func TestPositions_AreBounded(t *testing.T) {
	t.Parallel()
	var l partitionLog
	for next := range int64(3 * maxPositions) {
		l.read(statestream.Position{Next: next, Last: next - 1})
	}
	assert.LessOrEqual(t, len(l.positions), maxPositions)
	assert.Equal(t, int64(3*maxPositions-2), l.identity(3*maxPositions-1).Last)
}

// What was read since the latest complete checkpoint is behind the limit of the stream.
func TestState_CompleteCheckpointIsWrittenBeforeRetention(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{minStateBytes, 256 << 20} {
		behind := maxValues(size) + completeAfter(size) + 2*maxValues(size) + 2*segmentBytes(size)
		assert.Less(t, behind, size)
	}
}

func stateLogOf(writer byte) *stateLog {
	return &stateLog{writer: statestream.Writer{writer}, progress: make(chan struct{}, 1), fenced: make(chan struct{})}
}

func parts(writer byte, number uint64) (records [][]byte) {
	content := make([]byte, statestream.PartSize+1)
	for _, r := range statestream.Split(statestream.Writer{writer}, 1, number, content) {
		records = append(records, r.Encode())
	}
	return records
}

func TestState_CheckpointIsSavedWhenItIsReadBack(t *testing.T) {
	t.Parallel()
	l := stateLogOf(1)
	records := parts(1, 0)
	require.Len(t, records, 2)
	l.observe(7, records[0])
	assert.Zero(t, l.readBack)
	l.observe(8, parts(2, 0)[1]) // of a stale owner
	l.observe(9, []byte("damaged"))
	assert.Zero(t, l.readBack)
	l.observe(10, records[1])
	assert.Equal(t, uint64(1), l.readBack)
	assert.Equal(t, int64(7), l.at)
}

func TestState_ClaimOfAnotherFences(t *testing.T) {
	t.Parallel()
	l := stateLogOf(1)
	records := parts(1, 0)
	l.observe(7, records[0])
	l.observe(8, (&statestream.Record{Claim: true, Writer: statestream.Writer{2}}).Encode())
	l.observe(9, records[1])
	assert.Zero(t, l.readBack, "its end is behind the claim")
	select {
	case <-l.fenced:
	default:
		require.Fail(t, "not fenced")
	}
	l.observe(10, (&statestream.Record{Claim: true, Writer: statestream.Writer{3}}).Encode())
}
