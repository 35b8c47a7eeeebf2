// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDecode_ReturnsWhatWasEncoded(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"", "a", "content"} {
		version, decoded, err := Decode(Encode(3, []byte(content)), 2, 3)
		require.NoError(t, err)
		assert.Equal(t, byte(3), version)
		assert.Equal(t, content, string(decoded))
	}
}

func TestDecode_DamagedValueIsRefused(t *testing.T) {
	t.Parallel()
	value := Encode(3, []byte("content"))
	for n := range value {
		_, _, err := Decode(value[:n], 1, 3)
		require.Error(t, err, "cut at %d", n)
		flipped := append([]byte(nil), value...)
		flipped[n] ^= 0x10
		_, _, err = Decode(flipped, 1, 3)
		require.Error(t, err, "bit flipped at %d", n)
	}
	_, _, err := Decode(value[:2], 1, 3)
	require.ErrorIs(t, err, ErrTruncated)
	_, _, err = Decode(append(value, 0), 1, 3)
	require.ErrorIs(t, err, ErrChecksum)
}

func TestDecode_UnsupportedVersion(t *testing.T) {
	t.Parallel()
	for _, version := range []byte{1, 4} {
		_, _, err := Decode(Encode(version, nil), 2, 3)
		var unsupported *VersionError
		require.ErrorAs(t, err, &unsupported)
		assert.Equal(t, VersionError{Version: version, Oldest: 2, Newest: 3}, *unsupported)
		assert.ErrorContains(t, err, "this collector reads 2 to 3")
	}
}
