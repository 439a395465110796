"""Description, origin and license of each dataset. Text only."""

from __future__ import annotations

MNIST = """\
The MNIST database of handwritten digits
----------------------------------------
70,000 gray images of 28x28 pixels, 0 (paper) to 255 (ink), of the digits 0 to 9.

Split: 60,000 training and 10,000 test images, by different writers. In each, one half was written
by employees of the US Census Bureau and the other half by high-school students. Each digit was
fitted into 20x20 pixels and placed with its center of mass in the middle of the image.

Origin: Yann LeCun, Corinna Cortes and Christopher J. C. Burges, from NIST Special Databases 1
and 3. http://yann.lecun.com/exdb/mnist/
License: Creative Commons Attribution-ShareAlike 3.0 (CC BY-SA 3.0).

Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
recognition", Proceedings of the IEEE 86(11), 1998.
"""

FASHION_MNIST = """\
Fashion-MNIST
-------------
70,000 gray images of 28x28 pixels, 0 (background) to 255, of ten kinds of garments, made from
product pictures of the Zalando shop.

Split: 60,000 training and 10,000 test images, 6,000 and 1,000 of each kind.

Origin: Zalando Research. https://github.com/zalandoresearch/fashion-mnist
License: MIT, copyright 2017 Zalando SE.

H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine
learning algorithms", 2017, https://arxiv.org/abs/1708.07747
"""

KMNIST = """\
Kuzushiji-MNIST
---------------
70,000 gray images of 28x28 pixels, 0 (paper) to 255 (ink), of ten hiragana in cursive
handwriting, one for each row of the syllabary, from historical Japanese books. A class contains the
different old forms of its character.

Split: 60,000 training and 10,000 test images, 6,000 and 1,000 of each character.

Origin: "KMNIST Dataset" (created by CODH), adapted from "Kuzushiji Dataset" (created by NIJL and
others), https://doi.org/10.20676/00000341. https://codh.rois.ac.jp/kmnist/
License: Creative Commons Attribution-ShareAlike 4.0 (CC BY-SA 4.0).

T. Clanuwat, M. Bober-Irizar, A. Kitamoto, A. Lamb, K. Yamamoto, D. Ha, "Deep learning for classical
Japanese literature", 2018, https://arxiv.org/abs/1812.01718
"""

QMNIST = """\
QMNIST
------
120,000 gray images of 28x28 pixels, 0 (paper) to 255 (ink), of the digits 0 to 9: MNIST
reconstructed from NIST Special Database 19, with the 50,000 lost test images of MNIST.

Split: 60,000 training and 60,000 test images, by different writers. The training images and the
first 10,000 test images correspond one to one to those of MNIST, with small differences.

Origin: Chhavi Yadav and Léon Bottou. https://github.com/facebookresearch/qmnist
License: BSD 3-Clause, copyright Facebook, Inc.

C. Yadav, L. Bottou, "Cold case: the lost MNIST digits", Advances in Neural Information Processing
Systems 32, 2019, https://arxiv.org/abs/1905.10498
"""

EMNIST = """\
EMNIST, split "{split}"
{line}
{n_images:,} gray images of 28x28 pixels, 0 (paper) to 255 (ink), of {n_classes} handwritten
{what}. The published images are transposed; these are upright.

Split: {n_train:,} training and {n_test:,} test images. "byclass" contains every character of NIST
Special Database 19. "bymerge" merges capital and small letters of similar shape into one class.
"balanced" has the classes of "bymerge" with equally many images in each. "letters" merges all
capital and small letters. "digits" and "mnist" contain only digits; "mnist" is as large as MNIST.

Origin: Gregory Cohen, Saeed Afshar, Jonathan Tapson and André van Schaik.
https://www.nist.gov/itl/products-and-services/emnist-dataset
License: the files do not state one. They were made from Special Database 19, which NIST publishes.
Read the page above before you use them in a product.

G. Cohen, S. Afshar, J. Tapson, A. van Schaik, "EMNIST: an extension of MNIST to handwritten
letters", 2017, https://arxiv.org/abs/1702.05373
"""

DIGITS28 = """\
Handwritten digits in the form of MNIST
---------------------------------------
1,797 gray images of 28x28 pixels, 0 (paper) to 255 (ink), of the digits 0 to 9: the 8x8 images
of sklearn.datasets.load_digits, enlarged smoothly to 20x20 pixels and placed with their center of
mass in the middle, as in MNIST. They look softer than MNIST and do not replace it.

Split: none. These are the test images of the original dataset, by 13 writers who are not among the
writers of its training images.

Origin: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine
Learning Repository, 1998, https://doi.org/10.24432/C50P49
License: Creative Commons Attribution 4.0 (CC BY 4.0).
"""
