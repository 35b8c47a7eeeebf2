// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package history

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestList_Decode(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		list     List
		answer   string
		channels []string
		unlisted int64
		err      string
	}{
		"the answer is the list":  {answer: `[{"id":"a"},{"id":"b"}]`, channels: []string{"a", "b"}},
		"in an object":            {list: List{Path: "data[0].items"}, answer: `{"data":[{"items":[{"id":7}]}]}`, channels: []string{"7"}},
		"nobody":                  {answer: `[]`},
		"null is empty":           {list: List{Path: "items"}, answer: `{"items":null}`},
		"one twice":               {answer: `[{"id":"a"},{"id":"a"}]`, channels: []string{"a"}},
		"an entry without id":     {answer: `[{"id":"a"},{},5,null,{"id":{}}]`, channels: []string{"a"}, unlisted: 4},
		"all of a number":         {list: List{Path: "items", Total: "n"}, answer: `{"n":1,"items":[{"id":"a"}]}`, channels: []string{"a"}},
		"fewer than a number":     {list: List{Path: "items", Total: "n"}, answer: `{"n":"9","items":[{"id":"a"}]}`, channels: []string{"a"}, unlisted: 8},
		"more than a number":      {list: List{Path: "items", Total: "n"}, answer: `{"n":0,"items":[{"id":"a"}]}`, channels: []string{"a"}},
		"a number out of range":   {list: List{Path: "items", Total: "n"}, answer: `{"n":1e300,"items":[{"id":"a"}]}`, channels: []string{"a"}, unlisted: maxCount - 1},
		"no number":               {list: List{Path: "items", Total: "n"}, answer: `{"items":[{"id":"a"}]}`, err: `no number at total "n"`},
		"not a number":            {list: List{Path: "items", Total: "n"}, answer: `{"n":"NaN","items":[{"id":"a"}]}`, err: `no number at total "n"`},
		"negative":                {list: List{Path: "items", Total: "n"}, answer: `{"n":-1,"items":[{"id":"a"}]}`, err: `no number at total "n"`},
		"not JSON":                {answer: `<html>`, err: "not JSON"},
		"cut off":                 {answer: `[{"id":"a"}`, err: "not JSON"},
		"empty":                   {err: "not JSON"},
		"no list":                 {answer: `{"items":[]}`, err: `no list at path ""`},
		"null":                    {answer: `null`, err: `no list at path ""`},
		"no such path":            {list: List{Path: "data.items"}, answer: `{"items":[]}`, err: `no list at path "data.items"`},
		"no entry has a channel":  {answer: `[{"channel":"a"}]`, err: `none of the 1 entries of the list has a channel at fields::channel_id "id"`},
		"an index out of range":   {list: List{Path: "[9]"}, answer: `[[]]`, err: `no list at path "[9]"`},
		"an index that is no one": {list: List{Path: "[-1]"}, answer: `[[]]`, err: `no list at path "[-1]"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.list.Channel = "id"
			found, err := test.list.Decode([]byte(test.answer))
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			var channels []string
			for i := range found.Sessions {
				channels = append(channels, found.Sessions[i].Channel)
			}
			assert.Equal(t, test.channels, channels)
			assert.Equal(t, test.unlisted, found.Unlisted)
		})
	}
}

func FuzzList(f *testing.F) {
	f.Add([]byte(`{"n":2,"items":[{"id":"a","at":"2026-01-02T03:04:05Z"}]}`), "items", "n")
	f.Add([]byte(`[[{"id":1}]]`), "[0]", "")
	f.Fuzz(func(t *testing.T, body []byte, path, total string) {
		found, err := (&List{Path: path, Total: total, Channel: "id", Start: "at"}).Decode(body)
		if err != nil {
			return
		}
		require.GreaterOrEqual(t, found.Unlisted, int64(0))
		for i := range found.Sessions {
			require.NotEmpty(t, found.Sessions[i].Channel)
		}
	})
}
