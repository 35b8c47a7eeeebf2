// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package history

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDecodeCases(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer string
		want   []string // id, channel type, start, end in seconds, and the latest change
		hits   int64
		next   string
		err    string
	}{
		"open": {
			answer: `{"hits":7,"scrollToken":"x","data":[{"id":"a","channelId":"chat","status":"pending","createdAt":"1970-01-01T00:01:00Z","statusUpdatedAt":"1970-01-01T00:02:00Z"}]}`,
			want:   []string{"a chat 60 open 120"}, hits: 7, next: "x",
		},
		"an id that is a number, and a token too": {
			answer: `{"hits":"1","scrollToken":25,"data":[{"id":17,"status":"open"}]}`, want: []string{"17  0 open 0"}, hits: 1, next: "25",
		},
		"ended": {
			answer: `{"hits":1,"data":[{"id":"a","status":"Closed","createdAt":"1970-01-01T00:01:00Z","statusUpdatedAt":"1970-01-01T00:02:00Z","updatedAt":"1970-01-01T00:03:00Z"}]}`,
			want:   []string{"a  60 120 180"}, hits: 1,
		},
		"ended, and when is not said": {
			answer: `{"hits":1,"data":[{"id":"a","status":"trashed","createdAt":"1970-01-01T00:01:00Z"}]}`, want: []string{"a  60 0 60"}, hits: 1,
		},
		"ended at its last update": {
			answer: `{"hits":1,"data":[{"id":"a","status":"resolved","createdAt":"1970-01-01T00:01:00Z","updatedAt":"1970-01-01T00:03:00Z"}]}`, want: []string{"a  60 180 180"}, hits: 1,
		},
		"a status that is not known": {answer: `{"hits":1,"data":[{"id":"a","status":"dreaming"}]}`, want: []string{"a  0 open 0"}, hits: 1},
		"nobody":                     {answer: `{"hits":0,"data":[]}`},
		"some without an id":         {answer: `{"hits":3,"data":[{"id":"a"},{},5,null]}`, want: []string{"a  0 open 0"}, hits: 3},
		"none has an id":             {answer: `{"hits":3,"data":[{"caseId":"a"}]}`, err: "none of the cases in the answer has an id"},
		"no hits":                    {answer: `{"data":[]}`, err: "no number of hits"},
		"negative hits":              {answer: `{"hits":-1,"data":[]}`, err: "no number of hits"},
		"no list":                    {answer: `{"hits":1,"data":{}}`, err: `no list at "data"`},
		"cut off":                    {answer: `{"hits":1,"data":[{"id":"a"}`, err: "not JSON"},
		"empty":                      {err: "not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			page, err := DecodeCases([]byte(test.answer))
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			var found []string
			for _, one := range page.All {
				end := "open"
				if one.Ended {
					end = fmt.Sprint(one.End / 1e9)
				}
				found = append(found, fmt.Sprint(one.Channel, " ", one.ChannelType, " ", one.Start/1e9, " ", end, " ", one.Changed/1e9))
			}
			assert.Equal(t, test.want, found)
			assert.Equal(t, test.hits, page.Hits)
			assert.Equal(t, test.next, page.Next)
		})
	}
}

func TestDecodeCase(t *testing.T) {
	t.Parallel()
	one, err := DecodeCase([]byte(`{"id":"a","status":"closed"}`), "a")
	require.NoError(t, err)
	assert.True(t, one.Ended)
	for _, answer := range []string{``, `[]`, `{}`, `{"id":"b","status":"closed"}`, `{"id":"a"`} {
		_, err := DecodeCase([]byte(answer), "a")
		require.Error(t, err, answer)
	}
}

func FuzzDecodeCases(f *testing.F) {
	f.Add([]byte(`{"hits":1,"scrollToken":"x","data":[{"id":"a","channelId":"chat","status":"closed","createdAt":"1970-01-01T00:01:00Z"}]}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		page, err := DecodeCases(answer)
		if err != nil {
			return
		}
		for _, one := range page.All {
			require.NotEmpty(t, one.Channel)
		}
	})
}
