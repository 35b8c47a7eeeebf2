// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package componenttest

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/extension/xextension/storage"
)

func TestStorage(t *testing.T) {
	t.Parallel()
	s := NewStorage()
	require.NoError(t, s.Set(t.Context(), "a", []byte("1")))
	copied := s.Copy()
	s.FailAfter(1)
	require.ErrorIs(t, s.Batch(t.Context(), storage.SetOperation("b", nil), storage.DeleteOperation("a")), ErrCutOff)
	assert.True(t, s.Has("a"))
	assert.True(t, s.Has("b"), "what precedes the failure is done")
	assert.Equal(t, 2, s.Written())
	s.FailAfter(-1)
	s.SetFull(true)
	require.ErrorIs(t, s.Delete(t.Context(), "a"), storage.ErrStorageFull)
	value, err := s.Get(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, []byte("1"), value)
	assert.False(t, copied.Has("b"))
	require.NoError(t, copied.Delete(t.Context(), "a"), "a copy is not full")
}

func TestHost(t *testing.T) {
	t.Parallel()
	h := NewHost(NewStorage())
	assert.Contains(t, h.GetExtensions(), StorageID)
	assert.Equal(t, componentstatus.StatusNone, h.LastStatus())
	componentstatus.ReportStatus(h, componentstatus.NewEvent(componentstatus.StatusStarting))
	componentstatus.ReportStatus(h, componentstatus.NewEvent(componentstatus.StatusOK))
	assert.Equal(t, []componentstatus.Status{componentstatus.StatusStarting, componentstatus.StatusOK}, h.Statuses())
	assert.Equal(t, componentstatus.StatusOK, h.LastStatus())
	assert.Equal(t, componentstatus.StatusStarting, h.Next().Status())
	assert.Equal(t, componentstatus.StatusOK, h.Next().Status())
	assert.Empty(t, NewHost(nil).GetExtensions())
}
