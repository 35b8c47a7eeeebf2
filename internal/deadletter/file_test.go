// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package deadletter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func letter(i int) *Letter {
	return &Letter{
		ID: fmt.Sprintf("msg_%d", i), Time: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC),
		Reason: "refused", Status: 400, Error: "POST to a<b: 400", Body: []byte(`{"b":1,"a":"<ü>"}`),
	}
}

func lines(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

func TestALetterIsALine(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"b":1,"a":"<ü>"}`:      `"body":{"b":1,"a":"<ü>"}`,
		"{\n \"b\": [1, 2]\r\n}": `"body":{"b":[1,2]}`,
		"no JSON\nat all":        `"body_text":"no JSON\nat all"`,
		"\xff\x00":               `"body_base64":"/wA="`,
		"":                       "",
	} {
		one := letter(7)
		one.Body = []byte(body)
		got, err := one.Line()
		require.NoError(t, err)
		if want != "" {
			want = "," + want
		}
		assert.Equal(t, `{"id":"msg_7","time":"2026-11-25T12:00:00Z","reason":"refused","status":400,"error":"POST to a<b: 400"`+want+"}\n", string(got))
	}
}

func TestTheFileDoesNotGrowWithoutEnd(t *testing.T) {
	t.Parallel()
	const limit = 1000
	path := filepath.Join(t.TempDir(), "dead.jsonl")
	file := New(path, limit)
	require.NoError(t, file.Open())
	for i := range 100 {
		require.NoError(t, file.Keep(letter(i)))
		for _, name := range []string{path, path + ".1"} {
			if info, err := os.Stat(name); err == nil {
				assert.LessOrEqual(t, info.Size(), int64(limit))
				assert.Equal(t, os.FileMode(0o600), info.Mode())
			}
		}
	}
	require.NoError(t, file.Close())
	all := append(lines(t, path+".1"), lines(t, path)...)
	for i, line := range all { // the latest, in order, and none in two halves
		var got struct{ ID string }
		require.NoError(t, json.Unmarshal([]byte(line), &got))
		assert.Equal(t, fmt.Sprintf("msg_%d", 100-len(all)+i), got.ID)
	}
	assert.Greater(t, len(all), 6)
}

// One that is larger than the file may be is kept all the same.
func TestALargeLetterIsKept(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dead.jsonl")
	file := New(path, 100)
	large := letter(1)
	large.Body = bytes.Repeat([]byte("x"), 5000)
	require.NoError(t, file.Keep(letter(0)))
	require.NoError(t, file.Keep(large))
	require.NoError(t, file.Keep(letter(2)))
	require.NoError(t, file.Close())
	assert.Contains(t, lines(t, path+".1")[0], "msg_1")
	assert.Contains(t, lines(t, path)[0], "msg_2")
}

func TestALineThatWasCutOffSpoilsNoOther(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dead.jsonl")
	require.NoError(t, os.WriteFile(path, []byte(`{"id":"msg_0"}`+"\n"+`{"id":"msg_`), 0o600))
	file := New(path, 1000)
	require.NoError(t, file.Open())
	require.NoError(t, file.Keep(letter(1)))
	require.NoError(t, file.Close())
	got := lines(t, path)
	require.Len(t, got, 3)
	assert.True(t, json.Valid([]byte(got[2])))
}

func TestAPathThatCannotBe(t *testing.T) {
	t.Parallel()
	file := New(filepath.Join(t.TempDir(), "nowhere", "dead.jsonl"), 1000)
	require.ErrorContains(t, file.Open(), "nowhere")
	require.Error(t, file.Keep(letter(1)))
	require.NoError(t, os.Mkdir(filepath.Dir(file.path), 0o700))
	require.NoError(t, file.Keep(letter(1)), "it is tried again")
	require.NoError(t, file.Close())
}

func FuzzLine(f *testing.F) {
	f.Add("msg_1", "refused", []byte(`{"a":1}`))
	f.Add("\xff", "\n", []byte("\xff"))
	f.Fuzz(func(t *testing.T, id, text string, body []byte) {
		got, err := (&Letter{ID: id, Error: text, Body: body}).Line()
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(got) || bytes.IndexByte(got, '\n') != len(got)-1 {
			t.Errorf("no line of JSON: %q", got)
		}
	})
}
