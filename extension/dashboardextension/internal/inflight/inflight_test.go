// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package inflight

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whoever holds the most has to go, and not the one who asks last.
func TestLargestIsInterrupted(t *testing.T) {
	t.Parallel()
	b := NewBudget(100)
	interrupted := map[string]int{}
	claim := func(name string, n int) *Claim {
		c := b.Claim(func() { interrupted[name]++ })
		require.NoError(t, c.Grow(n))
		return c
	}
	small, large, medium := claim("small", 10), claim("large", 60), claim("medium", 30)
	require.NoError(t, small.Grow(20))
	assert.Equal(t, map[string]int{"large": 1}, interrupted)
	require.ErrorIs(t, large.Grow(1), ErrExceeded)
	require.ErrorIs(t, large.Complete(), ErrExceeded)
	require.NoError(t, medium.Complete())

	require.ErrorIs(t, small.Grow(90), ErrExceeded, "it is the largest now, as the other is complete")
	assert.Equal(t, map[string]int{"large": 1}, interrupted, "nobody interrupts itself")
	late := claim("late", 70)
	require.ErrorIs(t, medium.Grow(80), ErrExceeded, "there is nobody left to interrupt")
	assert.Equal(t, map[string]int{"large": 1, "late": 1}, interrupted)
	for _, c := range []*Claim{small, large, medium, late} {
		c.Release()
	}
	assert.Zero(t, b.used)
	assert.Empty(t, b.claims)
}

func TestReadAll(t *testing.T) {
	t.Parallel()
	b := NewBudget(1 << 20)
	text := strings.Repeat("0123456789", 50_000)
	c := b.Claim(func() {})
	read, err := c.ReadAll(iotest.HalfReader(strings.NewReader(text)))
	require.NoError(t, err)
	assert.Equal(t, text, string(read))
	assert.Equal(t, len(text), c.held)

	other := b.Claim(func() {})
	read, err = other.ReadAll(bytes.NewReader(nil))
	require.NoError(t, err)
	assert.Empty(t, read)

	_, err = c.ReadAll(iotest.ErrReader(errors.New("torn")))
	require.ErrorContains(t, err, "torn")
	_, err = c.ReadAll(io.MultiReader(strings.NewReader(text), iotest.ErrReader(io.ErrUnexpectedEOF)))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF, "a body that was torn off is none")
	c.Release()
	other.Release()
	_, err = b.Claim(func() {}).ReadAll(io.LimitReader(zeros{}, 2<<20))
	require.ErrorIs(t, err, ErrExceeded)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// A body that was interrupted fails for that reason, whatever its reader says.
func TestReadAllInterrupted(t *testing.T) {
	t.Parallel()
	b := NewBudget(firstRead + 1000)
	body, sender := io.Pipe()
	slow := b.Claim(func() { _ = sender.CloseWithError(os.ErrDeadlineExceeded) })
	failed := make(chan error)
	go func() {
		_, err := slow.ReadAll(body)
		failed <- err
	}()
	_, err := sender.Write([]byte("x")) // it is being read
	require.NoError(t, err)
	require.NoError(t, b.Claim(func() {}).Grow(2000))
	require.ErrorIs(t, <-failed, ErrExceeded)
}
