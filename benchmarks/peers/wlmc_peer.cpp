// Wang-Landau Monte Carlo of a 2-W-...-W-2 classifier, written by hand for one shape: what wlnn is
// timed against. The same algorithm (one changed parameter, cached rows, S read at that moment), the
// same random numbers; shape, activation and precision are macros, so that loops are unrolled and a
// block of samples stays in registers from the changed row to the loss. It is not a library.
//
// Macros: REAL (float, double), BITS (32, 64), DEPTH, WIDTH, TANH (0: ReLU), TRAIN, TEST (points).

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <type_traits>

#ifndef VECTOR_BYTES
#define VECTOR_BYTES 32
#endif
#define INLINE inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 64")
#endif

template <int bits> struct Integer;
template <> struct Integer<32> { using type = int32_t; };
template <> struct Integer<64> { using type = int64_t; };
using Word = Integer<BITS>::type;
typedef REAL Vector __attribute__((vector_size(VECTOR_BYTES)));
typedef Word Words __attribute__((vector_size(VECTOR_BYTES)));

constexpr int LANES = VECTOR_BYTES / sizeof(REAL);
constexpr int INPUTS = 2;
constexpr int TRAIN_BLOCKS = (TRAIN + LANES - 1) / LANES, TEST_BLOCKS = (TEST + LANES - 1) / LANES;
constexpr int BLOCKS = TRAIN_BLOCKS + TEST_BLOCKS;
constexpr int PARAMETERS = (INPUTS + 1) * WIDTH + (DEPTH - 1) * (WIDTH + 1) * WIDTH + 2 * (WIDTH + 1);
constexpr int64_t REFRESH_EVERY = 10000;
using Fold = std::conditional_t<(TRAIN > 100), double, REAL>;  // holds 2^TRAIN
static_assert(TRAIN <= 1000, "the product of the losses is above the largest number");

INLINE Vector all(REAL x) { return x - Vector{}; }
INLINE Vector larger(Vector x, Vector y) { return x > y ? x : y; }

INLINE Vector exponential(Vector x) {  // 2^n p(r), as in any vector library
    constexpr bool single = BITS == 32;
    constexpr int mantissa = single ? 23 : 52;
    x = larger(x, all(single ? -87 : -700));
    const Vector magic = all(REAL(1.5) * (int64_t(1) << mantissa));
    const Vector shifted = x * all(REAL(1.4426950408889634)) + magic, n = shifted - magic;
    Vector r = x - n * all(REAL(single ? 0.6931471805599453 : 6.93147180369123816490e-1));
    if (!single) r -= n * all(REAL(1.90821492927058770002e-10));
    const Vector r2 = r * r, r4 = r2 * r2;
    const auto term = [](double k) { return all(REAL(1 / k)); };
    Vector p = (1 + r) + r2 * (term(2) + r * term(6));
    p += r4 * ((term(24) + r * term(120)) + r2 * (term(720) + r * term(5040)));
    if (!single) {
        Vector q = (term(40320) + r * term(362880)) + r2 * (term(3628800) + r * term(39916800));
        q += r4 * (term(479001600) + r * term(6227020800));
        p += r4 * r4 * q;
    }
    return (Vector)((Words)p + ((Words)shifted << mantissa));
}

INLINE Vector activation(Vector z) {
    if (!TANH) return larger(z, all(0));
    return 2 / (exponential(-2 * larger(z, all(-20))) + 1) - 1;
}

struct Random {  // xoshiro256++
    uint64_t s[4];
    static uint64_t rotated(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
    INLINE uint64_t next() {
        const uint64_t word = rotated(s[0] + s[3], 23) + s[0], t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = rotated(s[3], 45);
        return word;
    }
};

struct Loss {  // sum of softplus(m) = sum of max(m, 0) + ln prod(1 + exp(-|m|))
    Vector linear = all(0), product = all(0);
    Words right = {};
};

class Walker {
  public:
    Vector inputs[INPUTS + 1][BLOCKS];  // the last row is 1, the input of biases
    Vector minus_sign[BLOCKS], shift[BLOCKS];
    Vector z[DEPTH][2][WIDTH][BLOCKS];  // pre-activations, current and proposed
#if TANH
    Vector h[DEPTH][2][WIDTH][BLOCKS];
#endif
    Vector margin[2][BLOCKS], z_row[BLOCKS], h_row[BLOCKS];
    REAL weights[PARAMETERS], out[WIDTH + 1];  // out: logit 1 minus logit 0
    double theta[PARAMETERS];
    int layer_of[PARAMETERS], row_of[PARAMETERS], column_of[PARAMETERS];
    int current[DEPTH], current_margin;
    bool changed;
    double loss, new_loss;
    int right, new_right;

    static constexpr int first(int layer) {
        return layer == 0 ? 0 : (INPUTS + 1) * WIDTH + (layer - 1) * (WIDTH + 1) * WIDTH;
    }
    static constexpr int inputs_of(int layer) { return layer == 0 ? INPUTS : WIDTH; }

    void make(const double *x, const int64_t *label, const double *start) {
        for (int i = 0; i < (TRAIN_BLOCKS + TEST_BLOCKS) * LANES; i++) {
            const bool train = i < TRAIN_BLOCKS * LANES;
            const int place = train ? i : i - TRAIN_BLOCKS * LANES;
            const bool real = place < (train ? TRAIN : TEST);
            const int sample = train ? place : TRAIN + place;
            for (int c = 0; c < INPUTS; c++)
                ((REAL *)inputs[c])[i] = real ? x[INPUTS * sample + c] : 0;
            ((REAL *)inputs[INPUTS])[i] = 1;
            ((REAL *)minus_sign)[i] = real ? (label[sample] ? -1 : 1) : 0;
            ((REAL *)shift)[i] = real ? 0 : -80;  // padding: no loss, no right answer
        }
        int p = 0;
        for (int l = 0; l <= DEPTH; l++) {
            const int rows = l == DEPTH ? 2 : WIDTH;
            for (int part = 0; part < 2; part++)  // weights row by row, then biases
                for (int r = 0; r < rows; r++)
                    for (int c = 0; c < (part ? 1 : inputs_of(l)); c++, p++) {
                        layer_of[p] = l;
                        row_of[p] = r;
                        column_of[p] = part ? inputs_of(l) : c;
                    }
        }
        memcpy(theta, start, sizeof theta);
        memset(current, 0, sizeof current);
        current_margin = 0;
        refresh();
        loss = new_loss;
        right = new_right;
    }

    INLINE Vector hidden(int layer, int buffer, int row, int block) const {
#if TANH
        return h[layer][buffer][row][block];
#else
        return activation(z[layer][buffer][row][block]);
#endif
    }

    INLINE Vector keep(int layer, int buffer, int row, int block, Vector value) {
        z[layer][buffer][row][block] = value;
        const Vector a = activation(value);
#if TANH
        h[layer][buffer][row][block] = a;
#endif
        return a;
    }

    template <int layer> INLINE Vector rest(const Vector *below, int block, const int *buffer) {
        if constexpr (layer == DEPTH) {  // margin from the last hidden layer
            Vector sum = all(out[WIDTH]);
            UNROLL for (int c = 0; c < WIDTH; c++) sum += out[c] * below[c];
            return sum;
        } else {
            constexpr int n_in = layer == 0 ? INPUTS : WIDTH;
            const REAL *w = weights + first(layer);
            Vector above[WIDTH];
            UNROLL for (int r = 0; r < WIDTH; r++) {
                Vector sum = all(w[n_in * WIDTH + r]);
                UNROLL for (int c = 0; c < n_in; c++) sum += w[r * n_in + c] * below[c];
                above[r] = keep(layer, buffer[layer], r, block, sum);
            }
            return rest<layer + 1>(above, block, buffer);
        }
    }

    INLINE void add(Loss &to, Vector m, int block) const {
        m *= minus_sign[block];
        if (block < TRAIN_BLOCKS) {
            m += shift[block];
            const Vector e = exponential((Vector)((Words)m | (Words)all(REAL(-0.0))));  // -|m|
            to.linear += larger(m, all(0));
            to.product += to.product * e + e;
        } else
            to.right -= m < 0;
    }

    INLINE void finish(const Loss &from) {
        double product = 0, linear = 0;
        Fold fold[LANES];
        for (int k = 0; k < LANES; k++) fold[k] = from.product[k];
        for (int n = LANES / 2; n >= 2; n /= 2)
            for (int k = 0; k < n; k++) fold[k] += fold[k + n] + fold[k] * fold[k + n];
        product = double(fold[0]) + fold[1] + double(fold[0]) * fold[1];
        new_right = 0;
        for (int k = 0; k < LANES; k++) {
            linear += from.linear[k];
            new_right += int(from.right[k]);
        }
        new_loss = (linear + (product > 1e-3 ? std::log(1 + product) : std::log1p(product))) / TRAIN;
    }

    void refresh() {
        for (int p = 0; p < PARAMETERS; p++) weights[p] = REAL(theta[p]);
        const REAL *w = weights + first(DEPTH);
        for (int c = 0; c < WIDTH; c++) out[c] = w[WIDTH + c] - w[c];
        out[WIDTH] = w[2 * WIDTH + 1] - w[2 * WIDTH];
        Loss sum;
        for (int b = 0; b < BLOCKS; b++) {
            const Vector x[INPUTS] = {inputs[0][b], inputs[1][b]};
            margin[current_margin][b] = rest<0>(x, b, current);
            add(sum, margin[current_margin][b], b);
        }
        finish(sum);
    }

    template <int layer> void propose(int i, REAL delta) {
        const int row = row_of[i], column = column_of[i];
        const Vector *old_margin = margin[current_margin];
        Vector *new_margin = margin[1 - current_margin];
        const bool bias = column == inputs_of(layer), input = layer == 0 || bias;
        const Vector *from = bias ? inputs[INPUTS] : inputs[column];
        if constexpr (layer > 0)
            if (!bias)
#if TANH
                from = h[layer - 1][current[layer - 1]][column];
#else
                from = z[layer - 1][current[layer - 1]][column];
#endif
        const bool activate = !TANH && !input;
        Loss sum;
        if constexpr (layer == DEPTH) {
            changed = true;
            if (row == 0) delta = -delta;
            UNROLL for (int b = 0; b < BLOCKS; b++) {
                const Vector a = activate ? activation(from[b]) : from[b];
                new_margin[b] = old_margin[b] + delta * a;
                add(sum, new_margin[b], b);
            }
        } else {
            Vector change[BLOCKS];
            Words any = {};
            const Vector *old = z[layer][current[layer]][row];
            UNROLL for (int b = 0; b < BLOCKS; b++) {
                z_row[b] = old[b] + delta * (activate ? activation(from[b]) : from[b]);
                const Vector a = activation(z_row[b]);
                if (TANH) h_row[b] = a;
                change[b] = a - hidden(layer, current[layer], row, b);
                any |= change[b] != 0;
            }
            uint64_t parts[VECTOR_BYTES / 8], some = 0;
            memcpy(parts, &any, sizeof parts);
            for (uint64_t part : parts) some |= part;
            changed = some != 0;
            if (!changed) {  // a dead ReLU
                new_loss = loss;
                new_right = right;
                return;
            }
            if constexpr (layer == DEPTH - 1) {
                UNROLL for (int b = 0; b < BLOCKS; b++) {
                    new_margin[b] = old_margin[b] + out[row] * change[b];
                    add(sum, new_margin[b], b);
                }
            } else {
                constexpr int next = layer + 1;
                int buffer[DEPTH];
                for (int l = 0; l < DEPTH; l++) buffer[l] = 1 - current[l];
                const REAL *w = weights + first(next) + row;
                for (int b = 0; b < BLOCKS; b++) {
                    Vector above[WIDTH];
                    UNROLL for (int r = 0; r < WIDTH; r++)
                        above[r] = keep(next, buffer[next], r, b,
                                        z[next][current[next]][r][b] + w[r * WIDTH] * change[b]);
                    new_margin[b] = rest<next + 1>(above, b, buffer);
                    add(sum, new_margin[b], b);
                }
            }
        }
        finish(sum);
    }

    template <int layer = 0> INLINE void propose_in(int i, REAL delta) {
        if constexpr (layer < DEPTH)
            if (layer_of[i] != layer) return propose_in<layer + 1>(i, delta);
        propose<layer>(i, delta);
    }

    INLINE void propose(int i, double value) { propose_in(i, REAL(value - theta[i])); }

    INLINE void commit(int i, double value) {
        const int layer = layer_of[i], row = row_of[i];
        const REAL delta = REAL(value - theta[i]);
        weights[i] += delta;
        theta[i] = value;
        loss = new_loss;
        right = new_right;
        if (layer == DEPTH)
            out[column_of[i]] += row ? delta : -delta;
        else {
            memcpy(z[layer][current[layer]][row], z_row, sizeof z_row);
#if TANH
            memcpy(h[layer][current[layer]][row], h_row, sizeof h_row);
#endif
        }
        if (!changed) return;
        for (int l = layer + 1; l < DEPTH; l++) current[l] ^= 1;
        current_margin ^= 1;
    }
};

struct Grid {  // rows of ln(loss), columns of right test answers
    int64_t rows;
    const double *edges;   // (rows + 1,) of the loss
    const int64_t *guess;  // row at the leading bits of a loss
    int64_t guess_first;

    INLINE int64_t row(double loss) const {
        if (!(loss >= edges[0] && loss < edges[rows])) return -1;
        int64_t bits;
        memcpy(&bits, &loss, 8);
        int64_t k = guess[(bits >> 44) - guess_first];
        while (loss >= edges[k + 1]) k++;
        return k;
    }
};

extern "C" {
int peer_parameters() { return PARAMETERS; }

Walker *peer_make(const double *x, const int64_t *label, const double *theta) {
    Walker *walker = new (std::aligned_alloc(64, (sizeof(Walker) + 63) / 64 * 64)) Walker();
    walker->make(x, label, theta);
    return walker;
}

void peer_free(Walker *walker) { std::free(walker); }

// n given proposals: loss and right answers of each; those with accept set are made.
void peer_walk(Walker *walker, int64_t n, const int64_t *index, const double *value,
               const uint8_t *accept, double *loss, int64_t *right) {
    for (int64_t t = 0; t < n; t++) {
        walker->propose(int(index[t]), value[t]);
        loss[t] = walker->new_loss;
        right[t] = walker->new_right;
        if (accept[t]) walker->commit(int(index[t]), value[t]);
    }
}

// n Wang-Landau steps; counters[4] receives accepted, out of box, out of window, round trips.
void peer_run(Walker *shared, int64_t n, double ln_f, double step, const double *lo,
              const double *hi, Grid grid, double *entropy, int64_t *histogram,
              const int64_t *visits, uint64_t *words, int64_t *counters) {
    Walker &walker = *shared;
    Random random;
    memcpy(random.s, words, sizeof random.s);
    constexpr int columns = TEST + 1;
    int64_t accepted = 0, out_of_box = 0, out_of_window = 0, round_trips = 0, direction = 0;
    int64_t here = grid.row(walker.loss) * columns + walker.right;
    for (int64_t done = 1; done <= n; done++) {
        const uint64_t word = random.next();
        const int i = int(((word >> 32) * PARAMETERS) >> 32);
        const double u = double(uint32_t(word)) * 0x1p-32;
        const double value = walker.theta[i] + step * (hi[i] - lo[i]) * (2 * u - 1);
        if (value < lo[i] || value > hi[i])
            out_of_box++;
        else {
            walker.propose(i, value);
            const int64_t row = grid.row(walker.new_loss), there = row * columns + walker.new_right;
            if (row < 0)
                out_of_window++;
            else {
                const bool known = visits[there] > 0 || histogram[there] > 0;
                const double difference = known ? entropy[here] - entropy[there] : 0;
                const double chance = double(random.next() >> 11) * 0x1p-53;
                if (difference >= 0 || chance < std::exp(difference)) {
                    walker.commit(i, value);
                    if (!known) entropy[there] = entropy[here];
                    here = there;
                    accepted++;
                    if (row == 0) {
                        round_trips += direction < 0;
                        direction = 1;
                    } else if (row == grid.rows - 1 && direction > 0)
                        direction = -1;
                }
            }
        }
        entropy[here] += ln_f;
        histogram[here]++;
        if (done % REFRESH_EVERY == 0) {
            walker.refresh();
            walker.loss = walker.new_loss;
            walker.right = walker.new_right;
        }
    }
    memcpy(words, random.s, sizeof random.s);
    const int64_t counts[4] = {accepted, out_of_box, out_of_window, round_trips};
    memcpy(counters, counts, sizeof counts);
}
}
