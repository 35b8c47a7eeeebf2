// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

type memory struct {
	component.StartFunc
	component.ShutdownFunc
	storage.Client
	data    map[string][]byte
	openErr error
	getErr  error
	setErr  error
}

func (m *memory) GetClient(context.Context, component.Kind, component.ID, string) (storage.Client, error) {
	return m, m.openErr
}

func (m *memory) Get(_ context.Context, key string) ([]byte, error) { return m.data[key], m.getErr }

func (m *memory) Set(_ context.Context, key string, value []byte) error {
	if m.setErr == nil {
		m.data[key] = value
	}
	return m.setErr
}

type plain struct {
	component.StartFunc
	component.ShutdownFunc
}

type host map[component.ID]component.Component

func (h host) GetExtensions() map[component.ID]component.Component { return h }

func TestOpen(t *testing.T) {
	t.Parallel()
	disk, other := component.MustNewID("disk"), component.MustNewID("other")
	failure := errors.New("invalid database")
	for name, test := range map[string]struct {
		extensions  host
		err         string
		unavailable bool
	}{
		"opened":       {host{disk: &memory{}}, "", false},
		"missing":      {host{other: &memory{}}, "storage: disk: there is no such extension", false},
		"no storage":   {host{disk: plain{}}, "storage: disk: is no storage extension", false},
		"not openable": {host{disk: &memory{openErr: failure}}, "storage: disk: storage cannot be opened: invalid database", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, err := Open(t.Context(), test.extensions, disk, component.KindProcessor, component.MustNewID("ws_window"))
			if test.err == "" {
				require.NoError(t, err)
				assert.NotNil(t, client)
				return
			}
			require.ErrorContains(t, err, test.err)
			assert.Equal(t, test.unavailable, errors.Is(err, ErrUnavailable))
			assert.Equal(t, test.unavailable, errors.Is(err, failure))
		})
	}
}

func newStore(m *memory, report func(*componentstatus.Event)) (*Store, *observer.ObservedLogs) {
	core, logs := observer.New(zap.InfoLevel)
	return NewStore(m, "disk", zap.New(core), report), logs
}

func TestStore_DamagedValueIsQuarantined(t *testing.T) {
	t.Parallel()
	m := &memory{data: map[string][]byte{"a": []byte("value"), "b": []byte("value")}}
	s, logs := newStore(m, nil)
	ok, err := s.Load(t.Context(), "a", func([]byte) error { return errors.New("checksum mismatch") })
	require.NoError(t, err)
	assert.False(t, ok)
	assert.Equal(t, "value", string(m.data["damaged/a"]))
	entries := logs.FilterMessageSnippet("damaged").All()
	require.Len(t, entries, 1)
	assert.Equal(t, "a", entries[0].ContextMap()["key"])
	assert.Equal(t, "a: checksum mismatch", entries[0].ContextMap()["error"])

	ok, err = s.Load(t.Context(), "b", func([]byte) error { return nil })
	require.NoError(t, err)
	assert.True(t, ok)
	ok, err = s.Load(t.Context(), "none", func([]byte) error { panic("nothing to decode") })
	require.NoError(t, err)
	assert.False(t, ok)
	assert.NotContains(t, m.data, "damaged/b")
	assert.Equal(t, 1, logs.Len())
}

func TestStore_QuarantineOnAFullDiskIsLogged(t *testing.T) {
	t.Parallel()
	m := &memory{data: map[string][]byte{"a": {}}, setErr: storage.ErrStorageFull}
	s, logs := newStore(m, nil)
	_, err := s.Load(t.Context(), "a", func([]byte) error { return errors.New("truncated") })
	require.NoError(t, err)
	require.Equal(t, 1, logs.Len())
	assert.Equal(t, storage.ErrStorageFull.Error(), logs.All()[0].ContextMap()["quarantine_error"])
}

func TestStore_ReadErrorIsReturned(t *testing.T) {
	t.Parallel()
	s, _ := newStore(&memory{getErr: errors.New("input/output error")}, nil)
	_, err := s.Load(t.Context(), "a", func([]byte) error { return nil })
	require.EqualError(t, err, "a: input/output error")
}

func TestStore_FailureIsReportedOnce(t *testing.T) {
	t.Parallel()
	var events []componentstatus.Status
	s, logs := newStore(&memory{}, func(event *componentstatus.Event) { events = append(events, event.Status()) })
	for _, err := range []error{nil, storage.ErrStorageFull, storage.ErrStorageFull} {
		s.Saved(err)
	}
	assert.True(t, s.Failing())
	s.Saved(nil)
	s.Saved(nil)
	assert.False(t, s.Failing())
	assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError, componentstatus.StatusOK}, events)
	assert.Equal(t, 1, logs.FilterMessageSnippet("cannot be saved").Len())
	assert.Equal(t, 1, logs.FilterMessageSnippet("saved again").Len())
}
