// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package request

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/state/envelope"
)

func sample() *Request {
	r := &Request{}
	r.Add(3, []byte("one"))
	r.Add(0, []byte("two"))
	r.Add(3, []byte{})
	r.Parts[0].First, r.Parts[1].First = 7, 1<<40
	r.SetHash()
	return r
}

func TestRequest_RoundTrip(t *testing.T) {
	t.Parallel()
	r := sample()
	assert.Equal(t, uint64(8), r.Parts[0].Last())
	again, confirmed, err := Decode(r.Encode([]uint64{1, 1 << 63}))
	require.NoError(t, err)
	assert.Equal(t, r, again)
	assert.Equal(t, []uint64{1, 1 << 63}, confirmed)
}

func TestRequest_HashIsThatOfTheMessages(t *testing.T) {
	t.Parallel()
	r, other := sample(), sample()
	other.Parts[0].First = 100 // of another attempt
	other.SetHash()
	assert.Equal(t, r.Hash, other.Hash)
	other.Parts[0].Messages[0] = []byte("on")
	other.Parts[0].Messages[1] = []byte("e")
	other.SetHash()
	assert.NotEqual(t, r.Hash, other.Hash, "the border between messages counts")
}

func TestDecode_DamageIsAnError(t *testing.T) {
	t.Parallel()
	value := sample().Encode([]uint64{1})
	for n := range value {
		_, _, err := Decode(value[:n])
		require.Error(t, err, n)
	}
}

// Every value is an error or a request that is stored as it was.
func FuzzDecode(f *testing.F) {
	f.Add(sample().Encode([]uint64{1})[envelope.Size:])
	f.Fuzz(func(t *testing.T, content []byte) {
		r, confirmed, err := Decode(envelope.Encode(version, content))
		if err != nil {
			return
		}
		again, same, err := Decode(r.Encode(confirmed))
		require.NoError(t, err)
		require.Equal(t, r, again)
		require.Equal(t, confirmed, same)
	})
}
