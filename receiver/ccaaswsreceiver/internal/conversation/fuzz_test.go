// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sealed "github.com/otelcol-ccaas/otelcol-ccaas/internal/state/envelope"
)

// A saved state is bytes of a disk: whatever they are, restoring neither panics nor exceeds
// the tracker's bound, and what was restored is saved again as itself.
func FuzzRestore(f *testing.F) {
	for _, content := range []string{
		`{"horizon":1793000000000000000,"conversations":[{"key":"7","horizon":1793000000000000001,"snapshot":-1}]}`,
		`{"conversations":[{"key":"1"},{"key":"1"},{"key":"18446744073709551615","horizon":-9223372036854775808}]}`,
		`{"horizon":"text"}`, `[]`, `null`, ``,
	} {
		f.Add([]byte(content), true)
		f.Add(sealed.Encode(version, []byte(content)), false)
	}
	f.Add(sealed.Encode(version+1, []byte(`{}`)), false)
	now := time.Unix(1_793_000_000, 0)
	f.Fuzz(func(t *testing.T, value []byte, content bool) {
		if content { // behind a checksum that is right
			value = sealed.Encode(version, value)
		}
		const most = 4 * conversationBytes
		tracker := NewTracker(now)
		tracker.most = most
		if tracker.Restore(value) != nil {
			return
		}
		require.LessOrEqual(t, tracker.bytes, most)
		require.Len(t, tracker.conversations, tracker.order.Len())
		saved, err := tracker.Encode(now)
		require.NoError(t, err)
		again := NewTracker(now)
		require.NoError(t, again.Restore(saved))
		second, err := again.Encode(now)
		require.NoError(t, err)
		require.Equal(t, saved, second)
	})
}
