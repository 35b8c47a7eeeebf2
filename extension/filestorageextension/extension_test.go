// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package filestorageextension

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/filestorageextension/internal/metadata"
)

var (
	windows = component.MustNewID("ws_window")
	alerts  = component.MustNewID("alert")
)

// startOn starts an extension on a directory, and gives what it logs.
func startOn(t *testing.T, directory string) (storage.Extension, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.WarnLevel)
	set := extensiontest.NewNopSettings(metadata.Type)
	set.Logger = zap.New(core)
	config := createDefaultConfig().(*Config)
	config.Directory = directory
	created, err := createExtension(t.Context(), set, config)
	require.NoError(t, err)
	require.NoError(t, created.Start(t.Context(), componenttest.NewNopHost()))
	return created.(storage.Extension), logs
}

// client opens the file of a component.
func client(t *testing.T, of storage.Extension, id component.ID) storage.Client {
	t.Helper()
	c, err := of.GetClient(t.Context(), component.KindProcessor, id, "")
	require.NoError(t, err)
	return c
}

// kept is a directory with the state of two components.
func kept(t *testing.T) string {
	t.Helper()
	directory := t.TempDir()
	files, _ := startOn(t, directory)
	for _, id := range []component.ID{windows, alerts} {
		c := client(t, files, id)
		require.NoError(t, c.Set(t.Context(), "key", []byte("value")))
		require.NoError(t, c.Close(t.Context()))
	}
	return directory
}

func TestStart_SoundFilesAreUsed(t *testing.T) {
	t.Parallel()
	files, logs := startOn(t, kept(t))
	c := client(t, files, windows)
	value, err := c.Get(t.Context(), "key")
	require.NoError(t, err)
	assert.Equal(t, "value", string(value))
	assert.Empty(t, logs.All())
	require.NoError(t, c.Close(t.Context()))
}

func TestStart_DamagedFileIsQuarantined(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func([]byte) []byte{
		"cut in a page": func(content []byte) []byte { return content[:len(content)/3] },
		"cut in a meta": func(content []byte) []byte { return content[:50] },
		"no database":   func([]byte) []byte { return make([]byte, 32<<10) },
		"pages of zeros": func(content []byte) []byte {
			clear(content[2*os.Getpagesize():])
			return content
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			directory := kept(t)
			path := filepath.Join(directory, "processor_ws_window_")
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			content = damage(content)
			require.NoError(t, os.WriteFile(path, content, 0o600))

			files, logs := startOn(t, directory)
			require.Equal(t, 1, logs.Len(), logs.All())
			entry := logs.All()[0]
			assert.Contains(t, entry.Message, "quarantined")
			assert.Equal(t, path, entry.ContextMap()["file"])
			assert.NotEmpty(t, entry.ContextMap()["error"])
			aside, err := os.ReadFile(entry.ContextMap()["quarantined_as"].(string))
			require.NoError(t, err)
			assert.Equal(t, content, aside, "it is kept as it was")
			for id, want := range map[component.ID]string{windows: "", alerts: "value"} {
				c := client(t, files, id)
				value, err := c.Get(t.Context(), "key")
				require.NoError(t, err)
				assert.Equal(t, want, string(value), id)
				require.NoError(t, c.Close(t.Context()))
			}
			_, logs = startOn(t, directory)
			assert.Empty(t, logs.All(), "it is logged once")
		})
	}
}

// What another process has open may be in the middle of a change.
func TestStart_FileInUseIsNotChecked(t *testing.T) {
	t.Parallel()
	directory := kept(t)
	files, _ := startOn(t, directory)
	c := client(t, files, windows)
	_, logs := startOn(t, directory)
	assert.Empty(t, logs.All())
	assert.FileExists(t, filepath.Join(directory, "processor_ws_window_"))
	require.NoError(t, c.Close(t.Context()))
}

func TestStart_OtherFilesAreNotChecked(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	for _, name := range []string{"notes", "processor_ws_window_.backup", "processor_ws_window_.20261125T000000.000Z.damaged", "connector_empty_"} {
		require.NoError(t, os.WriteFile(filepath.Join(directory, name), nil, 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(directory, "notes"), []byte("no database"), 0o600))
	_, logs := startOn(t, directory)
	assert.Empty(t, logs.All())
	entries, err := os.ReadDir(directory)
	require.NoError(t, err)
	assert.Len(t, entries, 4)
}

func TestConfig_UnusableDirectoryIsNamed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	config := NewFactory().CreateDefaultConfig().(*Config)
	config.Directory, config.CreateDirectory = filepath.Join(file, "state"), true
	require.ErrorContains(t, config.Validate(), "directory: "+config.Directory)

	config.Directory = filepath.Join(t.TempDir(), "state")
	extension, err := NewFactory().Create(t.Context(), extensiontest.NewNopSettings(metadata.Type), config)
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(config.Directory))
	require.NoError(t, os.WriteFile(config.Directory, nil, 0o600))
	_, err = extension.(storage.Extension).GetClient(t.Context(), component.KindReceiver, component.MustNewID("a"), "")
	require.ErrorContains(t, err, "directory: "+config.Directory)
}

// Every key of the Collector's extension is accepted, with its default.
func TestConfig_HasEveryKeyOfTheCollectors(t *testing.T) {
	t.Parallel()
	own, collectors := confmap.New(), confmap.New()
	require.NoError(t, own.Marshal(createDefaultConfig()))
	require.NoError(t, collectors.Marshal(filestorage.NewFactory().CreateDefaultConfig()))
	assert.NotEmpty(t, own.AllKeys())
	assert.Equal(t, collectors.ToStringMap(), own.ToStringMap())
	config := createDefaultConfig().(*Config)
	require.NoError(t, collectors.Unmarshal(config))
	assert.Equal(t, createDefaultConfig(), config)
}
