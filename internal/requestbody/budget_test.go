// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package requestbody

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

func TestBudget_LargestClaimIsInterrupted(t *testing.T) {
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
	require.ErrorIs(t, large.Grow(1), ErrBudgetExceeded)
	require.ErrorIs(t, large.Complete(), ErrBudgetExceeded)
	require.NoError(t, medium.Complete())

	require.ErrorIs(t, medium.Grow(71), ErrLargerThanBudget)
	require.ErrorIs(t, small.Grow(70), ErrBudgetExceeded, "it is the largest now, as the other is complete")
	assert.Equal(t, map[string]int{"large": 1}, interrupted, "a claim does not interrupt itself")
	late := claim("late", 70)
	require.NoError(t, late.Complete())
	require.ErrorIs(t, medium.Grow(60), ErrBudgetExceeded, "no claim is left that can be interrupted")
	assert.Equal(t, map[string]int{"large": 1}, interrupted)
	for _, c := range []*Claim{small, large, medium, late} {
		c.Release()
	}
	assert.Zero(t, b.used)
	assert.Empty(t, b.claims)
}

// Requests whose bodies are complete end by themselves; the others are interrupted.
func TestBudget_Close(t *testing.T) {
	t.Parallel()
	b := NewBudget(100)
	interrupted := 0
	receiving, complete := b.Claim(func() { interrupted++ }), b.Claim(nil)
	require.NoError(t, receiving.Grow(10))
	require.NoError(t, complete.Grow(10))
	require.NoError(t, complete.Complete())
	b.Close()
	b.Close()
	assert.Equal(t, 1, interrupted)
	require.ErrorIs(t, receiving.Complete(), ErrClosed)
	require.NoError(t, complete.Grow(10))
	require.ErrorIs(t, b.Claim(nil).Grow(1), ErrClosed)
	assert.Equal(t, 20, b.Used())
}

func TestClaim_ReadAll(t *testing.T) {
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

	_, err = c.ReadAll(iotest.ErrReader(errors.New("reset")))
	require.ErrorContains(t, err, "reset")
	_, err = c.ReadAll(io.MultiReader(strings.NewReader(text), iotest.ErrReader(io.ErrUnexpectedEOF)))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF, "a truncated body is an error")
	c.Release()
	other.Release()
	_, err = b.Claim(func() {}).ReadAll(io.LimitReader(zeros{}, 2<<20))
	require.ErrorIs(t, err, ErrLargerThanBudget)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// The error of an interrupted read is the interruption, not the error of the reader.
func TestClaim_ReadAllInterrupted(t *testing.T) {
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
	require.ErrorIs(t, <-failed, ErrBudgetExceeded)
}
