// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package standardwebhooks

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configopaque"
)

const (
	secret      = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	otherSecret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
)

func ofLength(n int) string {
	return prefix + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", n)))
}

func TestNew(t *testing.T) {
	t.Parallel()
	for given, says := range map[string]string{
		secret:                               "",
		ofLength(24):                         "",
		ofLength(64):                         "",
		ofLength(23):                         "is a key of 23 bytes: must be 24 to 64",
		ofLength(65):                         "is a key of 65 bytes: must be 24 to 64",
		"":                                   "must begin with whsec_",
		prefix:                               "is a key of 0 bytes",
		strings.TrimPrefix(secret, prefix):   "must begin with whsec_",
		"whsec_hush-hush":                    "must be whsec_ and base64 with its padding",
		strings.TrimRight(ofLength(25), "="): "must be whsec_ and base64 with its padding",
		" " + secret:                         "must begin with whsec_",
	} {
		_, err := New(given)
		if says == "" {
			require.NoError(t, err, given)
			continue
		}
		require.ErrorContains(t, err, says, given)
		if encoded := strings.TrimPrefix(given, prefix); encoded != "" {
			assert.NotContains(t, err.Error(), encoded)
		}
	}
}

func TestNewSigner_ErrorsNameTheSetting(t *testing.T) {
	t.Parallel()
	_, err := NewSigner("hush", nil)
	require.ErrorContains(t, err, "secret: must begin with whsec_")
	_, err = NewSigner(secret, []configopaque.String{otherSecret, ""})
	require.ErrorContains(t, err, "secrets[1]: must begin with whsec_")
}

// A receiver that has one of the secrets verifies the request, another does not.
func TestSign_EverySecretSigns(t *testing.T) {
	t.Parallel()
	signer, err := NewSigner(secret, []configopaque.String{otherSecret})
	require.NoError(t, err)
	header, body := http.Header{}, []byte(`{"severity":"critical"}`)
	require.NoError(t, signer.Sign(header, "msg_1", time.Now(), body))
	for _, one := range []string{secret, otherSecret} {
		receiver, err := New(one)
		require.NoError(t, err)
		require.NoError(t, receiver.Verify(body, header))
		require.Error(t, receiver.Verify([]byte(`{"severity":"warning"}`), header))
	}
	third, err := New(ofLength(32))
	require.NoError(t, err)
	require.ErrorIs(t, third.Verify(body, header), webhooks.ErrNoMatchingSignature)
}

func TestSign_WithoutSecret(t *testing.T) {
	t.Parallel()
	signer, err := NewSigner("", nil)
	require.NoError(t, err)
	header := http.Header{}
	require.NoError(t, signer.Sign(header, "msg_1", time.Unix(1_700_000_000, 0), nil))
	assert.Equal(t, http.Header{"Webhook-Id": {"msg_1"}, "Webhook-Timestamp": {"1700000000"}}, header)
}
